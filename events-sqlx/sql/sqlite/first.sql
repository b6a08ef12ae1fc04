-- The oldest delivery.
SELECT id FROM {schema}outbox ORDER BY id LIMIT 1
