-- Removes at most ?1 keys that nothing waits for; a dead letter keeps its key, because it may be redriven.
DELETE FROM outbox_key WHERE key IN (
  SELECT k.key FROM outbox_key AS k
  WHERE NOT EXISTS (SELECT 1 FROM outbox AS o WHERE o.key = k.key)
    AND NOT EXISTS (SELECT 1 FROM outbox_dead AS d WHERE d.key = k.key)
  LIMIT ?1
)
