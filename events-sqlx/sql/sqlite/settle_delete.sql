-- Deletes the deliveries ?1 (a JSON array of id and token as one text) whose lease still holds.
DELETE FROM outbox WHERE rowid IN (
  SELECT o.rowid FROM json_each(?1) AS lease
  JOIN outbox AS o ON o.id = unhex(substr(lease.value, 1, 32))
  WHERE o.lease_token = unhex(substr(lease.value, 33))
)
