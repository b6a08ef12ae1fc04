-- Writes the deliveries of one unit of work. The row is repeated once per delivery.
-- A delivery is inserted leased (a token, and a time to come), due (no token, now) or waiting for its line (no time).
INSERT INTO {schema}outbox (
  id, event_id, target, topic, version, `key`, key_seq, payload, content_type, source, headers, occurred_at,
  visible_at, not_before, lease_token
) VALUES
