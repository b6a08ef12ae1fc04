-- Removes at most :limit transactions that are older than :keep milliseconds.
DELETE FROM {schema}outbox_tx WHERE tx_id IN (
  SELECT tx_id FROM {schema}outbox_tx WHERE created_at < {now} - :keep ORDER BY created_at LIMIT :limit
)
