-- Removes at most :limit transactions that are older than :keep milliseconds; by their places, as purge_inbox.
DELETE FROM {schema}outbox_tx WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM {schema}outbox_tx
  WHERE created_at < {now} - :keep::bigint * interval '1 millisecond'
  ORDER BY created_at LIMIT :limit
  FOR UPDATE SKIP LOCKED
))
