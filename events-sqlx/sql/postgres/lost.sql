-- Which of the leases ($1, $2) are lost.
SELECT lease.id FROM unnest($1::uuid[], $2::uuid[]) AS lease (id, token)
WHERE NOT EXISTS (SELECT 1 FROM {schema}outbox AS o WHERE o.id = lease.id AND o.lease_token = lease.token)
