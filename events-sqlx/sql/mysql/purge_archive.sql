-- Removes at most :limit deliveries that have been in the archive for :keep milliseconds.
DELETE a
FROM (
  SELECT old.id FROM {schema}outbox_archive AS old FORCE INDEX (outbox_archive_age)
  WHERE old.archived_at < {now} - INTERVAL :keep * 1000 MICROSECOND
  ORDER BY old.archived_at LIMIT :limit
) AS chosen
STRAIGHT_JOIN {schema}outbox_archive AS a FORCE INDEX (PRIMARY) ON a.id = chosen.id
