-- Removes deliveries.
DELETE FROM {schema}outbox WHERE id = ANY (:delivery.id::uuid[])
