-- Deletes the deliveries (id and token as one text) whose lease still holds.
DELETE FROM {schema}outbox WHERE rowid IN (
  SELECT o.rowid FROM json_each(:lease) AS lease
  JOIN {schema}outbox AS o ON o.id = unhex(substr(lease.value, 1, 32))
  WHERE o.lease_token = unhex(substr(lease.value, 33))
)
