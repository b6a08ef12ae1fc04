-- Counts the locked lines down by their events, and makes the next delivery of each deliverable, unless a dead letter blocks it. A
-- statement of its own: it must see what was added while the lock was waited for.
WITH line AS (
  UPDATE {schema}outbox_key AS k SET pending = greatest(k.pending - over.events, 0)
  FROM unnest(:line.key::text[], :line.target::text[], :line.events::bigint[]) AS over (key, target, events)
  WHERE k.key = over.key AND k.target = over.target
  RETURNING k.key, k.target, k.pending
)
UPDATE {schema}outbox AS o SET visible_at = greatest(o.not_before, {now})
FROM line CROSS JOIN LATERAL (
  SELECT n.id FROM {schema}outbox AS n WHERE n.key = line.key AND n.target = line.target ORDER BY n.key_seq LIMIT 1
) AS next
WHERE line.pending > 0 AND o.id = next.id AND o.visible_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM {schema}outbox_dead AS d WHERE d.key = line.key AND d.target = line.target AND d.blocks)
