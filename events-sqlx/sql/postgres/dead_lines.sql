-- Locks those of the dead letters that are still there, and tells their line and whether they block it.
SELECT d.id, d.key, d.target, d.blocks::integer::bigint
FROM {schema}outbox_dead AS d WHERE d.id = ANY (:letter.id::uuid[]) ORDER BY d.id FOR UPDATE
