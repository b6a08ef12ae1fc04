-- Counts what waits for targets other than the known ones. DISTINCT hops from target to target in the index, so
-- a long backlog of known targets costs nothing. What waits for its line is not counted: its turn has not come anyway.
SELECT CONVERT(present.target USING utf8mb4), (
  SELECT count(*) FROM {schema}outbox AS o FORCE INDEX (outbox_due) WHERE o.target = present.target AND o.visible_at IS NOT NULL
) AS waiting
FROM (SELECT DISTINCT target FROM {schema}outbox FORCE INDEX (outbox_due)) AS present
WHERE NOT EXISTS (SELECT 1 FROM JSON_TABLE(:known, '$[*]' COLUMNS (
  name VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[0]'
)) AS known WHERE known.name = present.target)
HAVING waiting > 0
