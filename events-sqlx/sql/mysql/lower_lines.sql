-- Counts the locked lines down by their events.
UPDATE JSON_TABLE(:line, '$[*]' COLUMNS (
  `key` VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[0]',
  target VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[1]',
  events BIGINT PATH '$[2]'
)) AS line
STRAIGHT_JOIN {schema}outbox_key AS k FORCE INDEX (PRIMARY) ON k.`key` = line.`key` AND k.target = line.target
SET k.pending = greatest(k.pending - line.events, 0)
