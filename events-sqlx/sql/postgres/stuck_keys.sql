-- At most $1 lines (key, target) whose head waits for nothing, because somebody deleted what it waited for by hand.
SELECT o.key, o.target
FROM (SELECT key, target, min(key_seq) AS seq FROM {schema}outbox WHERE key IS NOT NULL GROUP BY key, target) AS head
JOIN {schema}outbox AS o ON o.key = head.key AND o.target = head.target AND o.key_seq = head.seq
WHERE o.visible_at IS NULL
LIMIT $1
