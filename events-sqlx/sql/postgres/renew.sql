-- Extends leases to :lease_for milliseconds from now.
UPDATE {schema}outbox AS o SET visible_at = {now} + :lease_for::bigint * interval '1 millisecond'
FROM unnest(:lease.id::uuid[], :lease.token::uuid[]) AS lease (id, token)
WHERE o.id = lease.id AND o.lease_token = lease.token
