-- The targets for which something is due, leased or waits for its time. Hops from target to target in the index.
WITH RECURSIVE hop (target) AS (
  SELECT min(target) FROM {schema}outbox WHERE visible_at IS NOT NULL
  UNION ALL
  SELECT (SELECT min(o.target) FROM {schema}outbox AS o WHERE o.visible_at IS NOT NULL AND o.target > hop.target)
  FROM hop WHERE hop.target IS NOT NULL
)
SELECT target FROM hop WHERE target IS NOT NULL
