-- Puts the dead letters $1 back into the outbox, at their old place in their key's order.
INSERT INTO {schema}outbox (
  id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at,
  visible_at, last_error, failures
)
SELECT
  id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at,
  coalesce(to_timestamp($2::float8 / 1000), clock_timestamp()), last_error, failures
FROM {schema}outbox_dead WHERE id = ANY ($1::uuid[])
