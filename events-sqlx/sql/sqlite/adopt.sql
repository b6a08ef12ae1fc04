-- Gives deliveries that wait for ?1, the earlier name of a target, its present name ?2. Where nothing waits, the index knows at once:
-- of deliveries that wait for their key, the first one of the key is always in it.
UPDATE outbox SET target = ?2
WHERE target = ?1 AND EXISTS (SELECT 1 FROM outbox AS head WHERE head.target = ?1 AND head.visible_at IS NOT NULL)
