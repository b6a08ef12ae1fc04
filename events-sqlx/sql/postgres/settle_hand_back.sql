-- Gives back the deliveries ($1, $2), each after $3 milliseconds; no attempt is burned.
UPDATE {schema}outbox AS o SET
  visible_at = coalesce(to_timestamp($4::float8 / 1000), clock_timestamp()) + lease.delay * interval '1 millisecond',
  lease_token = NULL
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS lease (id, token, delay)
WHERE o.id = lease.id AND o.lease_token = lease.token
