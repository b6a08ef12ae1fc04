-- Takes the lead :name under :token for :lease milliseconds, if it is free, has run out or is held by that token. One row: it is ours.
INSERT INTO {schema}relay_lease (name, owner, token, expires_at)
VALUES (:name, :owner, :token, {now} + :lease)
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, token = excluded.token, expires_at = excluded.expires_at
WHERE relay_lease.token = excluded.token OR relay_lease.expires_at <= {now}
