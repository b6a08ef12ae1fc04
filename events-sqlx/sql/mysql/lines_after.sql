-- The next :limit lines after (:key, :target), and what is to be done about each: `idle` if nothing was published to it for :idle
-- milliseconds and nothing waits, `stuck` if something waits but its head waits for nothing. Two comparisons instead of one of pairs,
-- because of these the index finds the place of only the first.
SELECT
  CONVERT(k.`key` USING utf8mb4), CONVERT(k.target USING utf8mb4),
  CASE
    WHEN k.pending = 0 THEN CASE WHEN k.seq < {micros} - :idle * 1000 THEN 'idle' ELSE 'fine' END
    WHEN (
      SELECT o.visible_at FROM {schema}outbox AS o FORCE INDEX (outbox_of_key)
      WHERE o.`key` = k.`key` AND o.target = k.target
      ORDER BY o.key_seq LIMIT 1
    ) IS NOT NULL THEN 'fine'
    WHEN EXISTS (
      SELECT 1 FROM {schema}outbox_dead AS d FORCE INDEX (outbox_dead_of_line)
      WHERE d.`key` = k.`key` AND d.target = k.target AND d.blocks = TRUE
    ) THEN 'fine'
    ELSE 'stuck'
  END
FROM {schema}outbox_key AS k FORCE INDEX (PRIMARY)
WHERE k.`key` > :key OR (k.`key` = :key AND k.target > :target)
ORDER BY k.`key`, k.target
LIMIT :limit
