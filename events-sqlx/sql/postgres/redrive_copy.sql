-- Puts dead letters back into the outbox, at their old place in their line.
INSERT INTO {schema}outbox (
  id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at,
  visible_at, last_error, failures
)
SELECT
  id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at,
  {now}, last_error, failures
FROM {schema}outbox_dead WHERE id = ANY (:letter.id::uuid[])
