-- Tells which of the dead letters are still there, their line and whether they block it.
SELECT id, key, target, blocks FROM {schema}outbox_dead WHERE id IN (SELECT unhex(value) FROM json_each(:letter))
