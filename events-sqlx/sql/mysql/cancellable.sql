-- The deliveries of an event whose delay is not over.
SELECT id, CONVERT(`key` USING utf8mb4), CONVERT(target USING utf8mb4)
FROM {schema}outbox
WHERE id BETWEEN :first AND :last AND event_id = :event AND lease_token IS NULL AND not_before > {now}
