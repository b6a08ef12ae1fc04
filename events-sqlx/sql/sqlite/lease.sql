-- Leases at most ?2 due deliveries of target ?1 with token ?3 for ?4 milliseconds; heads of their keys only.
-- A token that is still there belongs to a lease that ran out.
UPDATE outbox SET
  lease_token = ?3,
  visible_at = coalesce(?5, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)) + ?4,
  abandoned = abandoned + (lease_token IS NOT NULL)
WHERE rowid IN (
  SELECT o.rowid FROM outbox AS o
  WHERE o.target = ?1
    AND o.visible_at <= coalesce(?5, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER))
    AND (o.key IS NULL OR NOT EXISTS (
      SELECT 1 FROM outbox AS earlier
      WHERE earlier.key = o.key AND earlier.target = o.target AND earlier.key_seq < o.key_seq
    ))
  ORDER BY o.visible_at
  LIMIT ?2
)
-- Every column of every row is copied between threads, so few columns are much cheaper than many; what most rows have in common is one.
RETURNING
  CAST(id || event_id AS BLOB), payload, key, occurred_at,
  json_array(topic, version, content_type, source, headers, attempt, abandoned, failures)
