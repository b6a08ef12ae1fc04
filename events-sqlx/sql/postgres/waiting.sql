-- Lists at most $5 waiting deliveries, oldest first. A filter that is NULL takes everything.
SELECT
  id, event_id, target, topic, version, key, payload, content_type, source, headers, occurred_at,
  attempt, abandoned, last_error, failures,
  CASE
    WHEN visible_at IS NULL THEN 'key'
    WHEN visible_at <= coalesce(to_timestamp($6::float8 / 1000), clock_timestamp()) THEN 'due'
    WHEN lease_token IS NOT NULL THEN 'leased'
    ELSE 'later'
  END,
  visible_at
FROM {schema}outbox
WHERE ($1::uuid IS NULL OR id = $1) AND ($2::text IS NULL OR target = $2) AND ($3::text IS NULL OR topic = $3)
  AND ($4::text IS NULL OR key = $4)
ORDER BY id LIMIT $5
