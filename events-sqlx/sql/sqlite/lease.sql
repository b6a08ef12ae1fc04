-- Leases at most :most due deliveries of :target with :token for :lease milliseconds; heads of their keys only.
-- A token that is still there belongs to a lease that ran out.
UPDATE {schema}outbox SET
  lease_token = :token,
  visible_at = {now} + :lease,
  abandoned = abandoned + (lease_token IS NOT NULL)
WHERE rowid IN (
  SELECT o.rowid FROM {schema}outbox AS o
  WHERE o.target = :target
    AND o.visible_at <= {now}
    AND (o.key IS NULL OR NOT EXISTS (
      SELECT 1 FROM {schema}outbox AS earlier
      WHERE earlier.key = o.key AND earlier.target = o.target AND earlier.key_seq < o.key_seq
    ))
  ORDER BY o.visible_at
  LIMIT :most
)
-- Every column of every row is copied between threads, so few columns are much cheaper than many; what most rows have in common is one.
RETURNING
  CAST(id || event_id AS BLOB), payload, key, occurred_at,
  json_array(topic, version, content_type, source, headers, attempt, abandoned, failures)
