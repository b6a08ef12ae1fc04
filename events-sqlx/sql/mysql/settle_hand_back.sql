-- Gives back deliveries, each after its delay in milliseconds; no attempt is burned.
UPDATE JSON_TABLE(:back, '$[*]' COLUMNS (
  id CHAR(32) CHARACTER SET ascii PATH '$[0]',
  token CHAR(32) CHARACTER SET ascii PATH '$[1]',
  delay BIGINT PATH '$[2]'
)) AS back
STRAIGHT_JOIN {schema}outbox AS o FORCE INDEX (PRIMARY) ON o.id = UNHEX(back.id) AND o.lease_token = UNHEX(back.token)
SET
  o.visible_at = {now} + INTERVAL back.delay * 1000 MICROSECOND,
  o.lease_token = NULL
