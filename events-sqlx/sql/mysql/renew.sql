-- Extends leases to :lease_for milliseconds from now.
UPDATE JSON_TABLE(:lease, '$[*]' COLUMNS (
  id CHAR(32) CHARACTER SET ascii PATH '$[0]',
  token CHAR(32) CHARACTER SET ascii PATH '$[1]'
)) AS lease
STRAIGHT_JOIN {schema}outbox AS o FORCE INDEX (PRIMARY) ON o.id = UNHEX(lease.id) AND o.lease_token = UNHEX(lease.token)
SET o.visible_at = {now} + INTERVAL :lease_for * 1000 MICROSECOND
