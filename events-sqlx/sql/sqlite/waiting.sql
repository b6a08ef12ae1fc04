-- Lists at most ?5 waiting deliveries, oldest first. A filter that is NULL takes everything.
SELECT
  id, event_id, target, topic, version, key, payload, content_type, source, headers, occurred_at,
  attempt, abandoned, last_error, failures,
  CASE
    WHEN visible_at IS NULL THEN 'key'
    WHEN visible_at <= coalesce(?6, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)) THEN 'due'
    WHEN lease_token IS NOT NULL THEN 'leased'
    ELSE 'later'
  END,
  visible_at
FROM outbox
WHERE (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR target = ?2) AND (?3 IS NULL OR topic = ?3) AND (?4 IS NULL OR key = ?4)
ORDER BY id LIMIT ?5
