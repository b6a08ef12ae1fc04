-- Lists at most $5 dead letters, oldest first. A filter that is NULL takes everything.
SELECT
  id, event_id, target, topic, version, key, payload, content_type, source, headers, occurred_at,
  attempts, reason, last_error, failures, died_at
FROM {schema}outbox_dead
WHERE ($1::uuid IS NULL OR id = $1) AND ($2::text IS NULL OR target = $2) AND ($3::text IS NULL OR topic = $3)
  AND ($4::text IS NULL OR key = $4)
ORDER BY died_at, id LIMIT $5
