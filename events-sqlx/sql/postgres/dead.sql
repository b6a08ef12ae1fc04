-- The given dead letters that are still there.
SELECT
  id, event_id, target, topic, version, key, payload, content_type, source, headers, occurred_at,
  attempts, reason, last_error, failures, died_at, blocks::integer::bigint
FROM {schema}outbox_dead WHERE id = ANY (:delivery.id::uuid[])
