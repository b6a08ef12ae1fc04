-- Removes deliveries.
DELETE o
FROM JSON_TABLE(:delivery, '$[*]' COLUMNS (
  id CHAR(32) CHARACTER SET ascii PATH '$[0]'
)) AS chosen
STRAIGHT_JOIN {schema}outbox AS o FORCE INDEX (PRIMARY) ON o.id = UNHEX(chosen.id)
