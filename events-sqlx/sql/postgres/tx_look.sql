-- What is known of a transaction, and whether it was asked for so many milliseconds ago. Does not wait for who is about to commit it.
SELECT state::bigint, (created_at <= {now} - :lifetime::bigint * interval '1 millisecond')::int::bigint
FROM {schema}outbox_tx WHERE tx_id = :tx FOR UPDATE NOWAIT
