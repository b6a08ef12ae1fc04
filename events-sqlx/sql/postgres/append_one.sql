-- Writes the only delivery of a unit of work, without a key: leased (a token, and a time to come) or due (no token).
INSERT INTO {schema}outbox (
  id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at,
  visible_at, not_before, lease_token
) VALUES (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
  coalesce(to_timestamp(?::float8 / 1000), clock_timestamp()) + ? * interval '1 millisecond',
  coalesce(to_timestamp(?::float8 / 1000), clock_timestamp()) + ? * interval '1 millisecond', ?
)
