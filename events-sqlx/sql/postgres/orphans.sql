-- Counts what waits for other targets than the known ones. Hops from target to target through the gaps between the known ones: of those it
-- reads nothing, neither a long backlog nor the remains of what was delivered. The last gap has no end, so it is walked by itself.
-- What waits for its key is not counted: it is not in the index, and its turn has not come anyway.
WITH RECURSIVE gap (low, high) AS MATERIALIZED (
  SELECT coalesce(lag(known.target) OVER (ORDER BY known.target), ''), known.target FROM unnest(:known.target::text[]) AS known (target)
), between (target, high) AS (
  SELECT (
    SELECT o.target FROM {schema}outbox AS o
    WHERE o.visible_at IS NOT NULL AND o.target > gap.low AND o.target < gap.high ORDER BY o.target LIMIT 1
  ), gap.high FROM gap
  UNION ALL
  SELECT (
    SELECT o.target FROM {schema}outbox AS o
    WHERE o.visible_at IS NOT NULL AND o.target > between.target AND o.target < between.high ORDER BY o.target LIMIT 1
  ), between.high FROM between WHERE between.target IS NOT NULL
), beyond (target) AS (
  SELECT (
    SELECT o.target FROM {schema}outbox AS o
    WHERE o.visible_at IS NOT NULL AND o.target > coalesce((SELECT max(gap.high) FROM gap), '') ORDER BY o.target LIMIT 1
  )
  UNION ALL
  SELECT (
    SELECT o.target FROM {schema}outbox AS o WHERE o.visible_at IS NOT NULL AND o.target > beyond.target ORDER BY o.target LIMIT 1
  ) FROM beyond WHERE beyond.target IS NOT NULL
)
SELECT orphan.target, (SELECT count(*) FROM {schema}outbox AS o WHERE o.target = orphan.target AND o.visible_at IS NOT NULL)
FROM (SELECT between.target FROM between UNION ALL SELECT beyond.target FROM beyond) AS orphan
WHERE orphan.target IS NOT NULL
