-- Copies delivered deliveries into the archive.
INSERT INTO {schema}outbox_archive (
  id, event_id, target, topic, version, `key`, payload, content_type, source, headers, occurred_at, archived_at
)
SELECT
  o.id, o.event_id, o.target, o.topic, o.version, o.`key`, o.payload, o.content_type, o.source, o.headers, o.occurred_at, {now}
FROM JSON_TABLE(:lease, '$[*]' COLUMNS (
  id CHAR(32) CHARACTER SET ascii PATH '$[0]',
  token CHAR(32) CHARACTER SET ascii PATH '$[1]'
)) AS lease
STRAIGHT_JOIN {schema}outbox AS o FORCE INDEX (PRIMARY) ON o.id = UNHEX(lease.id) AND o.lease_token = UNHEX(lease.token)
