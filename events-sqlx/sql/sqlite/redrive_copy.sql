-- Puts the dead letters ?1 (a JSON array of ids) back into the outbox, at their old place in their key's order.
INSERT INTO outbox (
  id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at,
  visible_at, last_error, failures
)
SELECT
  d.id, d.event_id, d.target, d.topic, d.version, d.key, d.key_seq, d.payload, d.content_type, d.source, d.headers, d.occurred_at,
  coalesce(?2, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)), d.last_error, d.failures
FROM json_each(?1) AS chosen JOIN outbox_dead AS d ON d.id = unhex(chosen.value)
