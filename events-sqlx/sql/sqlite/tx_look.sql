-- What is known of a transaction, and whether it was asked for so many milliseconds ago.
SELECT state, created_at <= {now} - :lifetime FROM {schema}outbox_tx WHERE tx_id = :tx
