-- Takes the lead :name under :token for :lease milliseconds, if it is free, has run out or is held by that token. One row: it is ours.
INSERT INTO {schema}relay_lease AS held (name, owner, token, expires_at)
VALUES (:name, :owner, :token, {now} + :lease::bigint * interval '1 millisecond')
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, token = excluded.token, expires_at = excluded.expires_at
WHERE held.token = excluded.token OR held.expires_at <= {now}
