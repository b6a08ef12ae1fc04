-- Makes the next delivery of each of the lines deliverable, unless a dead letter blocks it. A subquery per line, because it stops at the
-- first row; in the list of columns, because there it is computed before the update.
UPDATE (
  SELECT (
    SELECT n.id FROM {schema}outbox AS n FORCE INDEX (outbox_of_key)
    WHERE n.`key` = line.`key` AND n.target = line.target
    ORDER BY n.key_seq LIMIT 1
  ) AS id
  FROM JSON_TABLE(:line, '$[*]' COLUMNS (
    `key` VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[0]',
    target VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[1]'
  )) AS line
  WHERE NOT EXISTS (
    SELECT 1 FROM {schema}outbox_dead AS d FORCE INDEX (outbox_dead_of_line)
    WHERE d.`key` = line.`key` AND d.target = line.target AND d.blocks = TRUE
  )
) AS head
STRAIGHT_JOIN {schema}outbox AS o FORCE INDEX (PRIMARY) ON o.id = head.id
SET o.visible_at = greatest(coalesce(o.not_before, {now}), {now})
WHERE o.visible_at IS NULL
