-- Lets what waits behind the dead letters pass.
UPDATE {schema}outbox_dead SET blocks = FALSE WHERE id IN (SELECT unhex(value) FROM json_each(:letter))
