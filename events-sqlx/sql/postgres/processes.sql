-- The processes that were seen last: since when they run, and how long ago they were seen, in microseconds.
SELECT id, owner, started_at, (extract(epoch FROM (SELECT {now})) * 1000000)::bigint - (extract(epoch FROM seen_at) * 1000000)::bigint, report FROM {schema}outbox_process ORDER BY seen_at DESC LIMIT :limit
