-- Removes at most :limit receipts that are older than :keep milliseconds. By their places, in an array, because of how many a parameter
-- limits the planner has no idea, and might read the whole table.
DELETE FROM {schema}inbox WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM {schema}inbox
  WHERE handled_at < {now} - :keep::bigint * interval '1 millisecond'
  ORDER BY handled_at LIMIT :limit
  FOR UPDATE SKIP LOCKED
))
