-- Copies deliveries to the dead letters.
INSERT INTO {schema}outbox_dead (
  id, event_id, target, topic, version, `key`, key_seq, payload, content_type, source, headers, occurred_at,
  attempts, reason, blocks, last_error, failures, died_at
)
SELECT
  o.id, o.event_id, o.target, o.topic, o.version, o.`key`, o.key_seq, o.payload, o.content_type, o.source, o.headers, o.occurred_at,
  o.attempt + 1, dead.reason, dead.blocks, dead.last_error, dead.failures, {now}
FROM JSON_TABLE(:dead, '$[*]' COLUMNS (
  id CHAR(32) CHARACTER SET ascii PATH '$[0]',
  token CHAR(32) CHARACTER SET ascii PATH '$[1]',
  reason VARCHAR(32) CHARACTER SET utf8mb4 PATH '$[2]',
  blocks BIGINT PATH '$[3]',
  last_error LONGTEXT CHARACTER SET utf8mb4 PATH '$[4]',
  failures LONGTEXT CHARACTER SET utf8mb4 PATH '$[5]'
)) AS dead
STRAIGHT_JOIN {schema}outbox AS o FORCE INDEX (PRIMARY) ON o.id = UNHEX(dead.id) AND o.lease_token = UNHEX(dead.token)
