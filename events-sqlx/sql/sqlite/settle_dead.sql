-- Copies deliveries to the dead letters.
INSERT INTO {schema}outbox_dead (
  id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at,
  attempts, reason, blocks, last_error, failures, died_at
)
SELECT
  o.id, o.event_id, o.target, o.topic, o.version, o.key, o.key_seq, o.payload, o.content_type, o.source, o.headers, o.occurred_at,
  o.attempt + 1, dead.value ->> 2, dead.value ->> 3, dead.value ->> 4, dead.value ->> 5, {now}
FROM json_each(:dead) AS dead
JOIN {schema}outbox AS o ON o.id = unhex(dead.value ->> 0)
WHERE o.lease_token = unhex(dead.value ->> 1)
