-- Lists at most :limit waiting deliveries, oldest first. A filter that is NULL takes everything.
SELECT
  id, event_id, target, topic, version, key, payload, content_type, source, headers, occurred_at,
  attempt, abandoned, last_error, failures,
  CASE
    WHEN visible_at IS NULL THEN 'key'
    WHEN visible_at <= {now} THEN 'due'
    WHEN lease_token IS NOT NULL THEN 'leased'
    ELSE 'later'
  END,
  visible_at
FROM {schema}outbox
WHERE (:id::uuid IS NULL OR id = :id) AND (:target::text IS NULL OR target = :target) AND (:topic::text IS NULL OR topic = :topic)
  AND (:key::text IS NULL OR key = :key)
ORDER BY id LIMIT :limit
