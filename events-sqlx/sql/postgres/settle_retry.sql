-- Deliveries failed; each is due again after its delay in milliseconds.
UPDATE {schema}outbox AS o SET
  visible_at = {now} + failed.delay * interval '1 millisecond',
  attempt = o.attempt + 1,
  abandoned = 0,
  lease_token = NULL,
  last_error = failed.last_error,
  failures = failed.failures
FROM unnest(
  :failed.id::uuid[], :failed.token::uuid[], :failed.delay::bigint[], :failed.last_error::text[], :failed.failures::text[]
) AS failed (id, token, delay, last_error, failures)
WHERE o.id = failed.id AND o.lease_token = failed.token
