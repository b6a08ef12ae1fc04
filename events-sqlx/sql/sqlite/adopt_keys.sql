-- At most :limit keys that have something under :earlier, an earlier name of a target. Of deliveries that wait for their key, the first
-- is always in the index of what may be leased, or a dead letter blocks them.
SELECT key FROM {schema}outbox WHERE target = :earlier AND visible_at IS NOT NULL AND key IS NOT NULL
UNION
SELECT key FROM {schema}outbox_dead WHERE target = :earlier AND blocks
LIMIT :limit
