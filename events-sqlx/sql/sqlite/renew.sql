-- Extends the leases ?1 (a JSON array of id and token as one text) to ?2 milliseconds from now.
UPDATE outbox SET visible_at = coalesce(?3, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)) + ?2
FROM (SELECT unhex(substr(value, 1, 32)) AS id, unhex(substr(value, 33)) AS token FROM json_each(?1)) AS lease
WHERE outbox.id = lease.id AND outbox.lease_token = lease.token
