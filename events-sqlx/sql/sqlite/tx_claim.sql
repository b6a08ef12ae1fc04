-- Says that this transaction commits, of which nobody knew when a broker asked. Changes nothing if it was given up.
UPDATE {schema}outbox_tx SET state = 1, created_at = {now} WHERE tx_id = :tx AND state = 0
