-- Removes dead letters.
DELETE FROM {schema}outbox_dead WHERE id IN (SELECT unhex(value) FROM json_each(:letter))
