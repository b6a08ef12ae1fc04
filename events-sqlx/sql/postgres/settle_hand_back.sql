-- Gives back deliveries, each after its delay in milliseconds; no attempt is burned.
UPDATE {schema}outbox AS o SET
  visible_at = {now} + back.delay * interval '1 millisecond',
  lease_token = NULL
FROM unnest(:back.id::uuid[], :back.token::uuid[], :back.delay::bigint[]) AS back (id, token, delay)
WHERE o.id = back.id AND o.lease_token = back.token
