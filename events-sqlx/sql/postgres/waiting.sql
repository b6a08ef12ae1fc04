-- The given deliveries that still wait.
SELECT
  id, event_id, target, topic, version, key, payload, content_type, source, headers, occurred_at,
  attempt, abandoned, last_error, failures,
  CASE
    WHEN visible_at IS NULL THEN 'key'
    WHEN visible_at <= {now} THEN 'due'
    WHEN lease_token IS NOT NULL THEN 'leased'
    ELSE 'later'
  END,
  visible_at
FROM {schema}outbox WHERE id = ANY (:delivery.id::uuid[])
