-- Copies delivery $1 with token $2 to the dead letters.
INSERT INTO {schema}outbox_dead (
  id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at,
  attempts, reason, last_error, failures, died_at
)
SELECT
  id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at,
  attempt + 1, $3, $4, $5, coalesce(to_timestamp($6::float8 / 1000), clock_timestamp())
FROM {schema}outbox WHERE id = $1 AND lease_token = $2
