-- The given dead letters that are still there.
SELECT
  d.id, d.event_id, CONVERT(d.target USING utf8mb4), d.topic, d.version, CONVERT(d.`key` USING utf8mb4), d.payload,
  d.content_type, d.source, d.headers, d.occurred_at,
  d.attempts, d.reason, d.last_error, d.failures, d.died_at, d.blocks
FROM JSON_TABLE(:delivery, '$[*]' COLUMNS (
  id CHAR(32) CHARACTER SET ascii PATH '$[0]'
)) AS chosen
STRAIGHT_JOIN {schema}outbox_dead AS d FORCE INDEX (PRIMARY) ON d.id = UNHEX(chosen.id)
