-- Gives back the deliveries ?1 (a JSON array of [id, token, delay in milliseconds]); no attempt is burned.
UPDATE outbox SET
  visible_at = coalesce(?2, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)) + lease.delay,
  lease_token = NULL
FROM (SELECT unhex(value ->> 0) AS id, unhex(value ->> 1) AS token, value ->> 2 AS delay FROM json_each(?1)) AS lease
WHERE outbox.id = lease.id AND outbox.lease_token = lease.token
