-- Copies the delivered deliveries ?1 (a JSON array of id and token as one text) into the archive.
INSERT INTO outbox_archive (
  id, event_id, target, topic, version, key, payload, content_type, source, headers, occurred_at, archived_at
)
SELECT
  o.id, o.event_id, o.target, o.topic, o.version, o.key, o.payload, o.content_type, o.source, o.headers, o.occurred_at,
  coalesce(?2, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER))
FROM json_each(?1) AS lease
JOIN outbox AS o ON o.id = unhex(substr(lease.value, 1, 32))
WHERE o.lease_token = unhex(substr(lease.value, 33))
