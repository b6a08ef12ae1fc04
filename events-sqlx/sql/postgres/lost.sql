-- Which of the leases are lost.
SELECT lease.id FROM unnest(:lease.id::uuid[], :lease.token::uuid[]) AS lease (id, token)
WHERE NOT EXISTS (SELECT 1 FROM {schema}outbox AS o WHERE o.id = lease.id AND o.lease_token = lease.token)
