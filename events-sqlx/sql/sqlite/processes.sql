-- The processes that were seen last: since when they run, and how long ago they were seen, in microseconds.
SELECT id, owner, started_at, {now} * 1000 - seen_at * 1000, report FROM {schema}outbox_process ORDER BY seen_at DESC LIMIT :limit
