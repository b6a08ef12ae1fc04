-- Lists at most :limit dead letters, oldest first. A filter that is NULL takes everything.
SELECT
  id, event_id, target, topic, version, key, payload, content_type, source, headers, occurred_at,
  attempts, reason, last_error, failures, died_at, blocks
FROM {schema}outbox_dead
WHERE (:id IS NULL OR id = :id) AND (:target IS NULL OR target = :target) AND (:topic IS NULL OR topic = :topic)
  AND (:key IS NULL OR key = :key)
ORDER BY died_at, id LIMIT :limit
