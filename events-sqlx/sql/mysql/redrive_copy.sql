-- Puts dead letters back into the outbox, at their old place in their line.
INSERT INTO {schema}outbox (
  id, event_id, target, topic, version, `key`, key_seq, payload, content_type, source, headers, occurred_at,
  visible_at, last_error, failures
)
SELECT
  d.id, d.event_id, d.target, d.topic, d.version, d.`key`, d.key_seq, d.payload, d.content_type, d.source, d.headers, d.occurred_at,
  {now}, d.last_error, d.failures
FROM JSON_TABLE(:letter, '$[*]' COLUMNS (
  id CHAR(32) CHARACTER SET ascii PATH '$[0]'
)) AS chosen
STRAIGHT_JOIN {schema}outbox_dead AS d FORCE INDEX (PRIMARY) ON d.id = UNHEX(chosen.id)
