-- Locks at most $1 keys that nothing seems to wait for. Somebody who is adding to a key has it locked, and it is skipped.
SELECT c.key FROM {schema}outbox_key AS c
WHERE NOT EXISTS (SELECT 1 FROM {schema}outbox AS o WHERE o.key = c.key)
  AND NOT EXISTS (SELECT 1 FROM {schema}outbox_dead AS d WHERE d.key = c.key)
LIMIT $1
FOR UPDATE OF c SKIP LOCKED
