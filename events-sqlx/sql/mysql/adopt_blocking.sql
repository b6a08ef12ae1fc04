-- The same for the dead letters that block one of the keys.
UPDATE JSON_TABLE(:key, '$[*]' COLUMNS (
  `key` VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[0]'
)) AS chosen
STRAIGHT_JOIN {schema}outbox_dead AS d FORCE INDEX (outbox_dead_of_line) ON d.`key` = chosen.`key` AND d.target = :earlier
SET d.target = :present
WHERE d.blocks = TRUE
