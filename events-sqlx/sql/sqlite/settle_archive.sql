-- Copies delivered deliveries (id and token as one text) into the archive.
INSERT INTO {schema}outbox_archive (
  id, event_id, target, topic, version, key, payload, content_type, source, headers, occurred_at, archived_at
)
SELECT
  o.id, o.event_id, o.target, o.topic, o.version, o.key, o.payload, o.content_type, o.source, o.headers, o.occurred_at, {now}
FROM json_each(:lease) AS lease
JOIN {schema}outbox AS o ON o.id = unhex(substr(lease.value, 1, 32))
WHERE o.lease_token = unhex(substr(lease.value, 33))
