-- The same rows as on PostgreSQL. `seq_1_to_..` is a table that MariaDB makes up; MySQL would need a recursive one.
INSERT INTO outbox (
  id, event_id, target, topic, version, `key`, key_seq, payload, content_type, source, headers, occurred_at, visible_at, lease_token
)
SELECT
  UNHEX(LPAD(HEX(n), 32, '0')), UNHEX(LPAD(HEX(n), 32, '0')),
  IF(n % 10 = 0, 'note', CONCAT('target_', n % 10)), 'test.noted', 1,
  IF(n % 2 = 1, CONCAT('key_', n % 50000), NULL), IF(n % 2 = 1, n, NULL),
  '{"n":1}', 'application/json', '/', '{}', UTC_TIMESTAMP(6),
  CASE
    WHEN n % 2 = 1 AND n > 50000 THEN NULL
    WHEN n % 4 = 1 OR n % 20 IN (0, 4) THEN UTC_TIMESTAMP(6) - INTERVAL 1 DAY + INTERVAL n * 1000 MICROSECOND
    ELSE UTC_TIMESTAMP(6) + INTERVAL 1 DAY + INTERVAL n * 1000 MICROSECOND
  END,
  IF(n % 14 = 0 AND n % 20 NOT IN (0, 4), UNHEX(LPAD(HEX(n), 32, '0')), NULL)
FROM (SELECT seq AS n FROM seq_1_to_{rows}) AS row_;

INSERT INTO outbox (id, event_id, target, topic, version, `key`, key_seq, payload, content_type, source, headers, occurred_at, visible_at)
SELECT
  UNHEX(LPAD(HEX({rows} + n), 32, '0')), UNHEX(LPAD(HEX({rows} + n), 32, '0')), 'note', 'test.noted', 1,
  IF(n <= {rows} DIV 10, 'long', 'long and blocked'), n, '{"n":1}', 'application/json', '/', '{}', UTC_TIMESTAMP(6),
  IF(n = 1, UTC_TIMESTAMP(6) - INTERVAL 2 DAY, NULL)
FROM (SELECT seq AS n FROM seq_1_to_{rows} WHERE seq <= {rows} DIV 10 + {rows} DIV 100) AS row_;

INSERT INTO outbox_key (`key`, target, seq, pending)
SELECT `key`, target, max(key_seq), count(*) FROM outbox WHERE `key` IS NOT NULL GROUP BY `key`, target;
INSERT INTO outbox_key (`key`, target, seq, pending) SELECT CONCAT('idle_', seq), 'note', seq, 0 FROM seq_1_to_50000;

INSERT INTO outbox_dead (
  id, event_id, target, topic, version, `key`, key_seq, payload, content_type, source, headers, occurred_at, attempts,
  reason, blocks, died_at
)
SELECT
  UNHEX(LPAD(HEX(2 * {rows} + n), 32, '0')), UNHEX(LPAD(HEX(2 * {rows} + n), 32, '0')), IF(n % 10 = 0, 'note', CONCAT('target_', n % 10)), 'test.noted', 1,
  CASE WHEN n = 10 THEN 'long and blocked' WHEN n % 10 = 0 THEN 'long' WHEN n % 2 = 1 THEN CONCAT('key_', n % 50000) END, 0,
  '{"n":1}', 'application/json', '/', '{}', UTC_TIMESTAMP(6), 1, 'terminal', n = 10,
  UTC_TIMESTAMP(6) - INTERVAL 1 DAY + INTERVAL n * 1000 MICROSECOND
FROM (SELECT seq AS n FROM seq_1_to_{rows} WHERE seq <= {rows} DIV 10) AS row_;

INSERT INTO outbox_archive (id, event_id, target, topic, version, payload, content_type, source, headers, occurred_at, archived_at)
SELECT
  UNHEX(LPAD(HEX(3 * {rows} + n), 32, '0')), UNHEX(LPAD(HEX(3 * {rows} + n), 32, '0')), 'note', 'test.noted', 1, '{"n":1}', 'application/json', '/', '{}',
  UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) - INTERVAL 1 DAY + INTERVAL n * 1000 MICROSECOND
FROM (SELECT seq AS n FROM seq_1_to_{rows} WHERE seq <= {rows} DIV 10) AS row_;

INSERT INTO inbox (consumer, event_id, handled_at)
SELECT CONCAT('take_', n % 10), UNHEX(LPAD(HEX(n), 32, '0')), UTC_TIMESTAMP(6) - INTERVAL 1 DAY + INTERVAL n * 1000 MICROSECOND
FROM (SELECT seq AS n FROM seq_1_to_{rows} WHERE seq <= {rows} DIV 10) AS row_;

INSERT INTO outbox_tx (tx_id, state, created_at)
SELECT UNHEX(LPAD(HEX(n), 32, '0')), 1, UTC_TIMESTAMP(6) - INTERVAL 1 DAY + INTERVAL n * 1000 MICROSECOND
FROM (SELECT seq AS n FROM seq_1_to_{rows} WHERE seq <= {rows} DIV 10) AS row_;
