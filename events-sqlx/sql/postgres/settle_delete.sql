-- Deletes the deliveries whose lease still holds.
DELETE FROM {schema}outbox AS o USING unnest(:lease.id::uuid[], :lease.token::uuid[]) AS lease (id, token)
WHERE o.id = lease.id AND o.lease_token = lease.token
