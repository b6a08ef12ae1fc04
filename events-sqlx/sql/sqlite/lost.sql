-- Which of the leases ?1 (a JSON array of [id, token]) are lost.
SELECT unhex(lease.value ->> 0) FROM json_each(?1) AS lease
WHERE NOT EXISTS (
  SELECT 1 FROM outbox AS o WHERE o.id = unhex(lease.value ->> 0) AND o.lease_token = unhex(lease.value ->> 1)
)
