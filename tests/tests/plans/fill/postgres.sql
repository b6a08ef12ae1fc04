-- {rows} deliveries: ten targets, half of them keyed and most of these behind their key, some leased, some due, most waiting for their
-- time; a line of a tenth as many more, and one a tenth of that which a dead letter blocks. Times are in the order of ids, as in life.
INSERT INTO outbox (
  id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at, visible_at, lease_token
)
SELECT
  lpad(to_hex(n), 32, '0')::uuid, lpad(to_hex(n), 32, '0')::uuid,
  CASE n % 10 WHEN 0 THEN 'note' ELSE 'target_' || n % 10 END, 'test.noted', 1,
  CASE WHEN n % 2 = 1 THEN 'key_' || n % 50000 END, CASE WHEN n % 2 = 1 THEN n END,
  '{"n":1}', 'application/json', '/', '{}', now(),
  CASE
    WHEN n % 2 = 1 AND n > 50000 THEN NULL
    WHEN n % 4 = 1 OR n % 20 IN (0, 4) THEN now() - interval '1 day' + n * interval '1 millisecond'
    ELSE now() + interval '1 day' + n * interval '1 millisecond'
  END,
  CASE WHEN n % 14 = 0 AND n % 20 NOT IN (0, 4) THEN lpad(to_hex(n), 32, '0')::uuid END
FROM generate_series(1, {rows}) AS n;

INSERT INTO outbox (id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at, visible_at)
SELECT
  lpad(to_hex({rows} + n), 32, '0')::uuid, lpad(to_hex({rows} + n), 32, '0')::uuid, 'note', 'test.noted', 1,
  CASE WHEN n <= {rows} / 10 THEN 'long' ELSE 'long and blocked' END, n, '{"n":1}', 'application/json', '/', '{}', now(),
  CASE WHEN n = 1 THEN now() - interval '2 days' END
FROM generate_series(1, {rows} / 10 + {rows} / 100) AS n;

INSERT INTO outbox_key (key, target, seq, pending) SELECT key, target, max(key_seq), count(*) FROM outbox WHERE key IS NOT NULL
GROUP BY key, target;
INSERT INTO outbox_key (key, target, seq, pending) SELECT 'idle_' || n, 'note', n, 0 FROM generate_series(1, 50000) AS n;

INSERT INTO outbox_dead (
  id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at, attempts,
  reason, blocks, died_at
)
SELECT
  lpad(to_hex(2 * {rows} + n), 32, '0')::uuid, lpad(to_hex(2 * {rows} + n), 32, '0')::uuid, CASE n % 10 WHEN 0 THEN 'note' ELSE 'target_' || n % 10 END, 'test.noted', 1,
  CASE WHEN n = 10 THEN 'long and blocked' WHEN n % 10 = 0 THEN 'long' WHEN n % 2 = 1 THEN 'key_' || n % 50000 END, 0,
  '{"n":1}', 'application/json', '/', '{}', now(), 1, 'terminal', n = 10, now() - interval '1 day' + n * interval '1 millisecond'
FROM generate_series(1, {rows} / 10) AS n;

INSERT INTO outbox_archive (id, event_id, target, topic, version, payload, content_type, source, headers, occurred_at, archived_at)
SELECT
  lpad(to_hex(3 * {rows} + n), 32, '0')::uuid, lpad(to_hex(3 * {rows} + n), 32, '0')::uuid, 'note', 'test.noted', 1, '{"n":1}', 'application/json', '/', '{}', now(),
  now() - interval '1 day' + n * interval '1 millisecond'
FROM generate_series(1, {rows} / 10) AS n;

INSERT INTO inbox (consumer, event_id, handled_at)
SELECT 'take_' || n % 10, lpad(to_hex(n), 32, '0')::uuid, now() - interval '1 day' + n * interval '1 millisecond' FROM generate_series(1, {rows} / 10) AS n;

INSERT INTO outbox_tx (tx_id, state, created_at)
SELECT lpad(to_hex(n), 32, '0')::uuid, 1, now() - interval '1 day' + n * interval '1 millisecond' FROM generate_series(1, {rows} / 10) AS n;
