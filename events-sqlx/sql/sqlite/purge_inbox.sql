-- Removes at most :limit receipts that are older than :keep milliseconds.
DELETE FROM {schema}inbox WHERE (consumer, event_id) IN (
  SELECT consumer, event_id FROM {schema}inbox WHERE handled_at < {now} - :keep ORDER BY handled_at LIMIT :limit
)
