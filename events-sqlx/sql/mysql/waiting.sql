-- The given deliveries that still wait.
SELECT
  o.id, o.event_id, CONVERT(o.target USING utf8mb4), o.topic, o.version, CONVERT(o.`key` USING utf8mb4), o.payload,
  o.content_type, o.source, o.headers, o.occurred_at,
  o.attempt, o.abandoned, o.last_error, o.failures,
  CASE
    WHEN o.visible_at IS NULL THEN 'key'
    WHEN o.visible_at <= {now} THEN 'due'
    WHEN o.lease_token IS NOT NULL THEN 'leased'
    ELSE 'later'
  END,
  o.visible_at
FROM JSON_TABLE(:delivery, '$[*]' COLUMNS (
  id CHAR(32) CHARACTER SET ascii PATH '$[0]'
)) AS chosen
STRAIGHT_JOIN {schema}outbox AS o FORCE INDEX (PRIMARY) ON o.id = UNHEX(chosen.id)
