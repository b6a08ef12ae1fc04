-- The dead letters that block a key, at most :limit.
SELECT id FROM {schema}outbox_dead WHERE key = :key AND (:target IS NULL OR target = :target) AND blocks ORDER BY id LIMIT :limit
