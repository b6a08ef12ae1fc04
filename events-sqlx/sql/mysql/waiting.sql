-- Lists at most :limit waiting deliveries, oldest first. A filter that is NULL takes everything.
SELECT
  id, event_id, CONVERT(target USING utf8mb4), topic, version, CONVERT(`key` USING utf8mb4), payload, content_type, source, headers,
  occurred_at, attempt, abandoned, last_error, failures,
  CASE
    WHEN visible_at IS NULL THEN 'key'
    WHEN visible_at <= {now} THEN 'due'
    WHEN lease_token IS NOT NULL THEN 'leased'
    ELSE 'later'
  END,
  visible_at
FROM {schema}outbox
WHERE (:id IS NULL OR id = :id) AND (:target IS NULL OR target = :target) AND (:topic IS NULL OR topic = :topic)
  AND (:key IS NULL OR `key` = :key)
ORDER BY id LIMIT :limit
