-- Extends leases (id and token as one text) to :lease_for milliseconds from now.
UPDATE {schema}outbox SET visible_at = {now} + :lease_for
FROM (SELECT unhex(substr(value, 1, 32)) AS id, unhex(substr(value, 33)) AS token FROM json_each(:lease)) AS lease
WHERE outbox.id = lease.id AND outbox.lease_token = lease.token
