-- Which of the leases ?1 (a JSON array of id and token as one text) are lost.
SELECT unhex(substr(lease.value, 1, 32)) FROM json_each(?1) AS lease
WHERE NOT EXISTS (
  SELECT 1 FROM outbox AS o WHERE o.id = unhex(substr(lease.value, 1, 32)) AND o.lease_token = unhex(substr(lease.value, 33))
)
