-- The latest place and the number of unsettled deliveries of lines that this transaction has locked. A locking read, because a plain
-- one in a REPEATABLE READ transaction could show what was there before the lock.
SELECT CONVERT(k.`key` USING utf8mb4), CONVERT(k.target USING utf8mb4), k.seq, k.pending
FROM JSON_TABLE(:line, '$[*]' COLUMNS (
  `key` VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[0]',
  target VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[1]'
)) AS line
STRAIGHT_JOIN {schema}outbox_key AS k FORCE INDEX (PRIMARY) ON k.`key` = line.`key` AND k.target = line.target
FOR UPDATE
