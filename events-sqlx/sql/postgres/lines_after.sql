-- The next :limit lines after (:key, :target), and what is to be done about each: `idle` if nothing was published to it for :idle
-- milliseconds and nothing waits, `stuck` if something waits but its head waits for nothing.
SELECT
  k.key, k.target,
  CASE
    WHEN k.pending = 0 THEN CASE WHEN k.seq < {micros} - :idle * 1000 THEN 'idle' ELSE 'fine' END
    WHEN (SELECT o.visible_at FROM {schema}outbox AS o WHERE o.key = k.key AND o.target = k.target ORDER BY o.key_seq LIMIT 1) IS NOT NULL
      THEN 'fine'
    WHEN EXISTS (SELECT 1 FROM {schema}outbox_dead AS d WHERE d.key = k.key AND d.target = k.target AND d.blocks) THEN 'fine'
    ELSE 'stuck'
  END
FROM {schema}outbox_key AS k
WHERE (k.key, k.target) > (:key, :target)
ORDER BY k.key, k.target
LIMIT :limit
