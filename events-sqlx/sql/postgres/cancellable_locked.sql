-- The same, locked: nobody leases them any more.
SELECT id, key, target
FROM {schema}outbox
WHERE id BETWEEN :first AND :last AND event_id = :event AND lease_token IS NULL AND not_before > {now}
FOR UPDATE
