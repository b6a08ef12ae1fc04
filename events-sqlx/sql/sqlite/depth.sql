-- How much waits for one target, counted to :most of what is due and :most of what is not: due, leased, later; and how long the first of them
-- has been due, in microseconds.
SELECT
  (SELECT count(*) FROM (
    SELECT 1 AS one FROM {schema}outbox WHERE target = :target AND visible_at <= {now} LIMIT :most
  ) AS due),
  coalesce(sum(CASE WHEN ahead.leased = 1 THEN 1 ELSE 0 END), 0),
  coalesce(sum(CASE WHEN ahead.leased = 0 THEN 1 ELSE 0 END), 0),
  {now} * 1000 - (SELECT min(visible_at) * 1000 FROM {schema}outbox WHERE target = :target AND visible_at <= {now})
FROM (
  SELECT CASE WHEN lease_token IS NULL THEN 0 ELSE 1 END AS leased
  FROM {schema}outbox WHERE target = :target AND visible_at > {now} ORDER BY visible_at LIMIT :most
) AS ahead
