-- Writes down the history of deliveries that stay leased.
UPDATE {schema}outbox AS o SET
  last_error = remembered.last_error,
  failures = remembered.failures
FROM unnest(
  :remembered.id::uuid[], :remembered.token::uuid[], :remembered.last_error::text[], :remembered.failures::text[]
) AS remembered (id, token, last_error, failures)
WHERE o.id = remembered.id AND o.lease_token = remembered.token
