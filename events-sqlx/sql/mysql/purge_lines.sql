-- Removes those of the locked lines that are still idle.
DELETE k
FROM JSON_TABLE(:line, '$[*]' COLUMNS (
  `key` VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[0]',
  target VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[1]'
)) AS line
STRAIGHT_JOIN {schema}outbox_key AS k FORCE INDEX (PRIMARY) ON k.`key` = line.`key` AND k.target = line.target
WHERE k.pending = 0 AND k.seq < {micros} - :idle * 1000
