-- Removes the dead letters $1.
DELETE FROM {schema}outbox_dead WHERE id = ANY ($1::uuid[])
