-- How much waits for one target, counted to :most of what is due and :most of what is not: due, leased, later; and how long the first of them
-- has been due, in microseconds.
SELECT
  (SELECT count(*) FROM (
    SELECT 1 AS one FROM {schema}outbox FORCE INDEX (outbox_due) WHERE target = :target AND visible_at <= {now} LIMIT :most
  ) AS due),
  CAST(coalesce(sum(CASE WHEN ahead.leased = 1 THEN 1 ELSE 0 END), 0) AS SIGNED),
  CAST(coalesce(sum(CASE WHEN ahead.leased = 0 THEN 1 ELSE 0 END), 0) AS SIGNED),
  TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', {now}) - (SELECT TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', min(visible_at)) FROM {schema}outbox FORCE INDEX (outbox_due) WHERE target = :target AND visible_at <= {now})
FROM (
  SELECT CASE WHEN lease_token IS NULL THEN 0 ELSE 1 END AS leased
  FROM {schema}outbox FORCE INDEX (outbox_due) WHERE target = :target AND visible_at > {now} ORDER BY visible_at LIMIT :most
) AS ahead
