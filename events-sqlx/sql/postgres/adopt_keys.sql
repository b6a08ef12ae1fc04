-- At most :limit keys that have something under :earlier, an earlier name of a target. Of deliveries that wait for their key, the first
-- is always in the index of what may be leased, or a dead letter blocks them.
-- Ordered as the index is, so that it is used.
SELECT DISTINCT key FROM (
  (SELECT key FROM {schema}outbox WHERE target = :earlier AND visible_at IS NOT NULL AND key IS NOT NULL ORDER BY visible_at LIMIT :limit)
  UNION ALL
  (SELECT key FROM {schema}outbox_dead WHERE target = :earlier AND blocks LIMIT :limit)
) AS found
