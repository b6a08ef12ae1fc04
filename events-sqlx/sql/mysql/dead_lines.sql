-- Locks those of the dead letters that are still there, and tells their line and whether they block it.
SELECT d.id, CONVERT(d.`key` USING utf8mb4), CONVERT(d.target USING utf8mb4), d.blocks
FROM JSON_TABLE(:letter, '$[*]' COLUMNS (
  id CHAR(32) CHARACTER SET ascii PATH '$[0]'
)) AS chosen
STRAIGHT_JOIN {schema}outbox_dead AS d FORCE INDEX (PRIMARY) ON d.id = UNHEX(chosen.id)
FOR UPDATE
