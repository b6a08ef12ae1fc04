-- Copies delivered deliveries into the archive.
INSERT INTO {schema}outbox_archive (
  id, event_id, target, topic, version, key, payload, content_type, source, headers, occurred_at, archived_at
)
SELECT
  o.id, o.event_id, o.target, o.topic, o.version, o.key, o.payload, o.content_type, o.source, o.headers, o.occurred_at, {now}
FROM unnest(:lease.id::uuid[], :lease.token::uuid[]) AS lease (id, token)
JOIN {schema}outbox AS o ON o.id = lease.id AND o.lease_token = lease.token
