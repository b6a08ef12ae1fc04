-- Deletes the deliveries ($1, $2) whose lease still holds.
DELETE FROM {schema}outbox AS o USING unnest($1::uuid[], $2::uuid[]) AS lease (id, token)
WHERE o.id = lease.id AND o.lease_token = lease.token
