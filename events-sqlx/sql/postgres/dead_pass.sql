-- Lets what waits behind the dead letters pass.
UPDATE {schema}outbox_dead SET blocks = FALSE WHERE id = ANY (:letter.id::uuid[])
