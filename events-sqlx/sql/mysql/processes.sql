-- The processes that were seen last: since when they run, and how long ago they were seen, in microseconds.
SELECT id, owner, started_at, TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', {now}) - TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', seen_at), report FROM {schema}outbox_process ORDER BY seen_at DESC LIMIT :limit
