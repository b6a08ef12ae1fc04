-- Removes those of the locked keys $1 that nothing waits for; a dead letter keeps its key, because it may be redriven. A statement of
-- its own: it must see what was added before the keys were locked.
DELETE FROM {schema}outbox_key AS k WHERE k.key = ANY ($1::text[])
  AND NOT EXISTS (SELECT 1 FROM {schema}outbox AS o WHERE o.key = k.key)
  AND NOT EXISTS (SELECT 1 FROM {schema}outbox_dead AS d WHERE d.key = k.key)
