-- Deletes the deliveries ?1 (a JSON array of [id, token]) whose lease still holds.
DELETE FROM outbox WHERE rowid IN (
  SELECT o.rowid FROM json_each(?1) AS lease
  JOIN outbox AS o ON o.id = unhex(lease.value ->> 0)
  WHERE o.lease_token = unhex(lease.value ->> 1)
)
