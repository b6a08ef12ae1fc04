-- Writes the deliveries of one unit of work without keys, one array per column, inserted due or, without a :delay, leased.
INSERT INTO {schema}outbox (
  id, event_id, target, topic, version, payload, content_type, source, headers, occurred_at, visible_at, not_before, lease_token
)
SELECT
  id, event_id, target, topic, version, payload, :content_type, :source, headers, occurred_at,
  {now} + coalesce(delay, :lease::bigint) * interval '1 millisecond', {now} + nullif(delay, 0) * interval '1 millisecond',
  CASE WHEN delay IS NULL THEN :token::uuid END
FROM unnest(
  :row.id::uuid[], :row.event_id::uuid[], :row.target::text[], :row.topic::text[], :row.version::bigint[], :row.payload::bytea[],
  :row.headers::text[], :row.occurred_at::timestamptz[], :row.delay::bigint[]
) AS row (id, event_id, target, topic, version, payload, headers, occurred_at, delay)
