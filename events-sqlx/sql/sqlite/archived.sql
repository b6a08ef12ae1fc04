-- The deliveries of an event that arrived, as far as the archive remembers: their ids lie between :first and :last.
SELECT
  id, event_id, target, topic, version, key, payload, content_type, source, headers, occurred_at,
  archived_at
FROM {schema}outbox_archive WHERE id BETWEEN :first AND :last ORDER BY id
