-- Writes the deliveries of one unit of work without keys, one array per column, inserted leased (a token, and a time to come) or due.
INSERT INTO {schema}outbox (
  id, event_id, target, topic, version, payload, content_type, source, headers, occurred_at, visible_at, not_before, lease_token
)
SELECT
  id, event_id, target, topic, version, payload, content_type, source, headers, occurred_at,
  {now} + visible_in * interval '1 millisecond', {now} + delay * interval '1 millisecond', lease_token
FROM unnest(
  :row.id::uuid[], :row.event_id::uuid[], :row.target::text[], :row.topic::text[], :row.version::bigint[], :row.payload::bytea[],
  :row.content_type::text[], :row.source::text[], :row.headers::text[], :row.occurred_at::timestamptz[], :row.visible_in::bigint[],
  :row.delay::bigint[], :row.lease_token::uuid[]
) AS row (
  id, event_id, target, topic, version, payload, content_type, source, headers, occurred_at, visible_in, delay, lease_token
)
