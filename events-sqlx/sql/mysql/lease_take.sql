-- Leases the picked deliveries with :token for :lease milliseconds. How often a lease was abandoned comes from `lease_pick`, because an
-- update of a join promises no order in which columns change.
UPDATE JSON_TABLE(:picked, '$[*]' COLUMNS (
  id CHAR(32) CHARACTER SET ascii PATH '$[0]',
  abandoned BIGINT PATH '$[1]'
)) AS picked
STRAIGHT_JOIN {schema}outbox AS o FORCE INDEX (PRIMARY) ON o.id = UNHEX(picked.id)
SET
  o.abandoned = picked.abandoned,
  o.lease_token = :token,
  o.visible_at = {now} + INTERVAL :lease * 1000 MICROSECOND
