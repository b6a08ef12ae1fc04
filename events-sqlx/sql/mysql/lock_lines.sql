-- Locks lines in this order.
SELECT k.pending
FROM JSON_TABLE(:line, '$[*]' COLUMNS (
  `key` VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[0]',
  target VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[1]'
)) AS line
STRAIGHT_JOIN {schema}outbox_key AS k FORCE INDEX (PRIMARY) ON k.`key` = line.`key` AND k.target = line.target
FOR UPDATE
