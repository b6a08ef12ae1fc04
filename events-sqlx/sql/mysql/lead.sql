-- Takes the lead :name under :token for :lease milliseconds, if it has run out or is held by that token. One row: it is ours.
UPDATE {schema}relay_lease FORCE INDEX (PRIMARY) SET
  owner = :owner,
  token = :token,
  expires_at = {now} + INTERVAL :lease * 1000 MICROSECOND
WHERE name = :name AND (token = :token OR expires_at <= {now})
