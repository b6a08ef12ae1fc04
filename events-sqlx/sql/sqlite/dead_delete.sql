-- Removes the dead letters ?1 (a JSON array of ids).
DELETE FROM outbox_dead WHERE id IN (SELECT unhex(value) FROM json_each(?1))
