-- Removes at most :limit deliveries that have been in the archive for :keep milliseconds. An array, because of how many a parameter
-- limits the planner has no idea, and might read the whole table.
DELETE FROM {schema}outbox_archive WHERE id = ANY (ARRAY(
  SELECT id FROM {schema}outbox_archive
  WHERE archived_at < {now} - :keep::bigint * interval '1 millisecond'
  ORDER BY archived_at LIMIT :limit
  FOR UPDATE SKIP LOCKED
))
