-- Removes at most $3 deliveries that have been in the archive for $1 milliseconds.
DELETE FROM {schema}outbox_archive WHERE id IN (
  SELECT id FROM {schema}outbox_archive
  WHERE archived_at < coalesce(to_timestamp($2::float8 / 1000), clock_timestamp()) - $1::bigint * interval '1 millisecond'
  ORDER BY archived_at LIMIT $3
  FOR UPDATE SKIP LOCKED
)
