-- Counts the lines up by their events, and makes those that are missing; they stay locked until COMMIT, in their order.
INSERT INTO {schema}outbox_key (`key`, target, seq, pending)
SELECT line.`key`, line.target, {micros} + line.events - 1, line.events
FROM JSON_TABLE(:line, '$[*]' COLUMNS (
  `key` VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[0]',
  target VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[1]',
  events BIGINT PATH '$[2]'
)) AS line
ON DUPLICATE KEY UPDATE
  seq = greatest(outbox_key.seq + line.events, {micros} + line.events - 1),
  pending = outbox_key.pending + line.events
