-- The deliveries of an event whose delay is not over.
SELECT id, key, target
FROM {schema}outbox
WHERE id BETWEEN :first AND :last AND event_id = :event AND lease_token IS NULL AND not_before > {now}
