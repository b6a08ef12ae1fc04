-- The targets for which something is due, leased or waits for its time. Hops from target to target in the index.
WITH RECURSIVE hop (target) AS (
  (SELECT o.target FROM {schema}outbox AS o WHERE o.visible_at IS NOT NULL ORDER BY o.target LIMIT 1)
  UNION ALL
  SELECT (SELECT o.target FROM {schema}outbox AS o WHERE o.visible_at IS NOT NULL AND o.target > hop.target ORDER BY o.target LIMIT 1)
  FROM hop WHERE hop.target IS NOT NULL
)
SELECT target FROM hop WHERE target IS NOT NULL
