-- Removes dead letters.
DELETE FROM {schema}outbox_dead WHERE id = ANY (:letter.id::uuid[])
