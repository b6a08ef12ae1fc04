-- The oldest delivery that has a key, among the oldest :most deliveries: its key, target and failed attempts.
SELECT key, target, attempt, id
FROM (SELECT id, key, target, attempt FROM {schema}outbox ORDER BY id LIMIT :most) AS oldest
WHERE key IS NOT NULL ORDER BY id LIMIT 1
