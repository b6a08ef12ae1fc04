-- Removes at most :limit deliveries that have been in the archive for :keep milliseconds.
DELETE FROM {schema}outbox_archive WHERE rowid IN (
  SELECT rowid FROM {schema}outbox_archive WHERE archived_at < {now} - :keep ORDER BY archived_at LIMIT :limit
)
