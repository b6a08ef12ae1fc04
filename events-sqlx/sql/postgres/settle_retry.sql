-- Delivery $1 with token $2 failed; it is due again after $3 milliseconds.
UPDATE {schema}outbox SET
  visible_at = coalesce(to_timestamp($6::float8 / 1000), clock_timestamp()) + $3::bigint * interval '1 millisecond',
  attempt = attempt + 1,
  abandoned = 0,
  lease_token = NULL,
  last_error = $4,
  failures = $5
WHERE id = $1 AND lease_token = $2
