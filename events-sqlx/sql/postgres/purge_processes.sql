-- Forgets processes that were not seen for :keep milliseconds.
DELETE FROM {schema}outbox_process WHERE seen_at < {now} - :keep::bigint * interval '1 millisecond'
