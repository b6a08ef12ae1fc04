-- Extends the leases ($1, $2) to $3 milliseconds from now.
UPDATE {schema}outbox AS o SET
  visible_at = coalesce(to_timestamp($4::float8 / 1000), clock_timestamp()) + $3::bigint * interval '1 millisecond'
FROM unnest($1::uuid[], $2::uuid[]) AS lease (id, token)
WHERE o.id = lease.id AND o.lease_token = lease.token
