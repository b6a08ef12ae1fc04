-- Gives back deliveries, each after its delay in milliseconds; no attempt is burned.
UPDATE {schema}outbox SET
  visible_at = {now} + back.delay,
  lease_token = NULL
FROM (SELECT unhex(value ->> 0) AS id, unhex(value ->> 1) AS token, value ->> 2 AS delay FROM json_each(:back)) AS back
WHERE outbox.id = back.id AND outbox.lease_token = back.token
