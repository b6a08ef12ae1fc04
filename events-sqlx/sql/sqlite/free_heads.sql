-- Makes the next delivery of each of the lines deliverable, unless a dead letter blocks it.
UPDATE {schema}outbox SET visible_at = max(coalesce(not_before, 0), {now})
WHERE visible_at IS NULL AND rowid IN (
  SELECT (
    SELECT o.rowid FROM {schema}outbox AS o WHERE o.key = k.key AND o.target = k.target ORDER BY o.key_seq LIMIT 1
  )
  FROM json_each(:line) AS line
  JOIN {schema}outbox_key AS k ON k.key = line.value ->> 0 AND k.target = line.value ->> 1
  WHERE k.pending > 0
    AND NOT EXISTS (SELECT 1 FROM {schema}outbox_dead AS d WHERE d.key = k.key AND d.target = k.target AND d.blocks)
)
