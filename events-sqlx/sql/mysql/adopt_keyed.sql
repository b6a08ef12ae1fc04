-- Gives deliveries of the keys that wait for :earlier, an earlier name of a target, its :present name.
UPDATE JSON_TABLE(:key, '$[*]' COLUMNS (
  `key` VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[0]'
)) AS chosen
STRAIGHT_JOIN {schema}outbox AS o FORCE INDEX (outbox_of_key) ON o.`key` = chosen.`key` AND o.target = :earlier
SET o.target = :present
