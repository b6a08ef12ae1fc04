-- What is known of a transaction, and whether it was asked for so many milliseconds ago. Does not wait for who is about to commit it.
SELECT CAST(state AS SIGNED), CAST(created_at <= {now} - INTERVAL :lifetime * 1000 MICROSECOND AS SIGNED)
FROM {schema}outbox_tx WHERE tx_id = :tx FOR UPDATE NOWAIT
