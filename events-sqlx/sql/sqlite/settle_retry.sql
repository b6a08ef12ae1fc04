-- Deliveries failed; each is due again after its delay in milliseconds.
UPDATE {schema}outbox SET
  visible_at = {now} + failed.delay,
  attempt = attempt + 1,
  abandoned = 0,
  lease_token = NULL,
  last_error = failed.error,
  failures = failed.history
FROM (
  SELECT unhex(value ->> 0) AS id, unhex(value ->> 1) AS token, value ->> 2 AS delay, value ->> 3 AS error, value ->> 4 AS history
  FROM json_each(:failed)
) AS failed
WHERE outbox.id = failed.id AND outbox.lease_token = failed.token
