-- Removes deliveries.
DELETE FROM {schema}outbox WHERE id IN (SELECT unhex(value) FROM json_each(:delivery))
