-- Writes down the history of deliveries that stay leased.
UPDATE JSON_TABLE(:remembered, '$[*]' COLUMNS (
  id CHAR(32) CHARACTER SET ascii PATH '$[0]',
  token CHAR(32) CHARACTER SET ascii PATH '$[1]',
  last_error LONGTEXT CHARACTER SET utf8mb4 PATH '$[2]',
  failures LONGTEXT CHARACTER SET utf8mb4 PATH '$[3]'
)) AS remembered
STRAIGHT_JOIN {schema}outbox AS o FORCE INDEX (PRIMARY) ON o.id = UNHEX(remembered.id) AND o.lease_token = UNHEX(remembered.token)
SET
  o.last_error = remembered.last_error,
  o.failures = remembered.failures
