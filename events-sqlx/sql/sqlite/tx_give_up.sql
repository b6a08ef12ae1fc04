-- Gives a transaction up: it can never commit.
UPDATE {schema}outbox_tx SET state = 2, created_at = {now} WHERE tx_id = :tx AND state = 0
