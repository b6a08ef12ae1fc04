-- Deliveries failed; each is due again after its delay in milliseconds.
UPDATE JSON_TABLE(:failed, '$[*]' COLUMNS (
  id CHAR(32) CHARACTER SET ascii PATH '$[0]',
  token CHAR(32) CHARACTER SET ascii PATH '$[1]',
  delay BIGINT PATH '$[2]',
  last_error LONGTEXT CHARACTER SET utf8mb4 PATH '$[3]',
  failures LONGTEXT CHARACTER SET utf8mb4 PATH '$[4]'
)) AS failed
STRAIGHT_JOIN {schema}outbox AS o FORCE INDEX (PRIMARY) ON o.id = UNHEX(failed.id) AND o.lease_token = UNHEX(failed.token)
SET
  o.visible_at = {now} + INTERVAL failed.delay * 1000 MICROSECOND,
  o.attempt = o.attempt + 1,
  o.abandoned = 0,
  o.lease_token = NULL,
  o.last_error = failed.last_error,
  o.failures = failed.failures
