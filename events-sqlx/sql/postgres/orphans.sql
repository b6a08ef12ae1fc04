-- Counts what waits for other targets than the known ones. Hops from target to target, so a long backlog of known targets costs nothing.
-- What waits for its key is not counted: it is not in the index, and its turn has not come anyway.
WITH RECURSIVE hop (target) AS (
  (SELECT target FROM {schema}outbox WHERE visible_at IS NOT NULL ORDER BY target LIMIT 1)
  UNION ALL
  SELECT (SELECT o.target FROM {schema}outbox AS o WHERE o.visible_at IS NOT NULL AND o.target > hop.target ORDER BY o.target LIMIT 1)
  FROM hop WHERE hop.target IS NOT NULL
)
SELECT hop.target, (SELECT count(*) FROM {schema}outbox AS o WHERE o.target = hop.target AND o.visible_at IS NOT NULL)
FROM hop
WHERE hop.target IS NOT NULL AND hop.target <> ALL (:known.target::text[])
