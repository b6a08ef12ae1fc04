-- Counts anew what the locked lines have: somebody deleted rows by hand, or a target was renamed.
UPDATE (
  SELECT line.`key`, line.target, (
    SELECT count(*) FROM {schema}outbox AS o FORCE INDEX (outbox_of_key) WHERE o.`key` = line.`key` AND o.target = line.target
  ) + (
    SELECT count(*) FROM {schema}outbox_dead AS d FORCE INDEX (outbox_dead_of_line)
    WHERE d.`key` = line.`key` AND d.target = line.target AND d.blocks = TRUE
  ) AS pending, coalesce((
    SELECT max(o.key_seq) FROM {schema}outbox AS o FORCE INDEX (outbox_of_key) WHERE o.`key` = line.`key` AND o.target = line.target
  ), 0) AS seq
  FROM JSON_TABLE(:line, '$[*]' COLUMNS (
    `key` VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[0]',
    target VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[1]'
  )) AS line
) AS counted
STRAIGHT_JOIN {schema}outbox_key AS k FORCE INDEX (PRIMARY) ON k.`key` = counted.`key` AND k.target = counted.target
SET k.pending = counted.pending, k.seq = greatest(k.seq, counted.seq)
