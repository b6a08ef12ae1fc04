-- Writes down the history of deliveries that stay leased.
UPDATE {schema}outbox SET
  last_error = remembered.error,
  failures = remembered.history
FROM (
  SELECT unhex(value ->> 0) AS id, unhex(value ->> 1) AS token, value ->> 2 AS error, value ->> 3 AS history
  FROM json_each(:remembered)
) AS remembered
WHERE outbox.id = remembered.id AND outbox.lease_token = remembered.token
