-- Removes at most ?3 deliveries that have been in the archive for ?1 milliseconds.
DELETE FROM outbox_archive WHERE rowid IN (
  SELECT rowid FROM outbox_archive
  WHERE archived_at < coalesce(?2, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)) - ?1
  ORDER BY archived_at LIMIT ?3
)
