-- Which of the leases (id and token as one text) are lost.
SELECT unhex(substr(lease.value, 1, 32)) FROM json_each(:lease) AS lease
WHERE NOT EXISTS (
  SELECT 1 FROM {schema}outbox AS o
  WHERE o.id = unhex(substr(lease.value, 1, 32)) AND o.lease_token = unhex(substr(lease.value, 33))
)
