-- At most :limit keys that have something under :earlier, an earlier name of a target. Of deliveries that wait for their key, the first
-- is always among those that may be leased, or a dead letter blocks them.
(
  SELECT CONVERT(`key` USING utf8mb4) FROM {schema}outbox FORCE INDEX (outbox_due)
  WHERE target = :earlier AND visible_at IS NOT NULL AND `key` IS NOT NULL LIMIT :limit
)
UNION
(
  SELECT CONVERT(`key` USING utf8mb4) FROM {schema}outbox_dead FORCE INDEX (outbox_dead_of_target)
  WHERE target = :earlier AND blocks LIMIT :limit
)
