-- Writes the deliveries of one unit of work in one statement, one array per column.
-- A delivery is inserted leased (a token, and a time to come), due (no token, now) or waiting for its key (no time).
INSERT INTO {schema}outbox (
  id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at,
  visible_at, not_before, lease_token
)
SELECT
  id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at,
  coalesce(to_timestamp($16::float8 / 1000), clock_timestamp()) + visible_in * interval '1 millisecond',
  coalesce(to_timestamp($16::float8 / 1000), clock_timestamp()) + delay * interval '1 millisecond',
  lease_token
FROM unnest(
  $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::bigint[], $8::bytea[], $9::text[], $10::text[],
  $11::text[], $12::timestamptz[], $13::bigint[], $14::bigint[], $15::uuid[]
) AS row (
  id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at,
  visible_in, delay, lease_token
)
