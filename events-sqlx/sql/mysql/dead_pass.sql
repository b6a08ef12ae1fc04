-- Lets what waits behind the dead letters pass.
UPDATE JSON_TABLE(:letter, '$[*]' COLUMNS (
  id CHAR(32) CHARACTER SET ascii PATH '$[0]'
)) AS chosen
STRAIGHT_JOIN {schema}outbox_dead AS d FORCE INDEX (PRIMARY) ON d.id = UNHEX(chosen.id)
SET d.blocks = FALSE
