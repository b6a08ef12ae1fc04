-- Copies deliveries to the dead letters.
INSERT INTO {schema}outbox_dead (
  id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at,
  attempts, reason, blocks, last_error, failures, died_at
)
SELECT
  o.id, o.event_id, o.target, o.topic, o.version, o.key, o.key_seq, o.payload, o.content_type, o.source, o.headers, o.occurred_at,
  o.attempt + 1, dead.reason, dead.blocks = 1, dead.last_error, dead.failures, {now}
FROM unnest(
  :dead.id::uuid[], :dead.token::uuid[], :dead.reason::text[], :dead.blocks::bigint[], :dead.last_error::text[], :dead.failures::text[]
) AS dead (id, token, reason, blocks, last_error, failures)
JOIN {schema}outbox AS o ON o.id = dead.id AND o.lease_token = dead.token
