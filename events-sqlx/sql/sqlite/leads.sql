-- Who leads what, and for how long still, in microseconds.
SELECT name, owner, expires_at * 1000 - {now} * 1000 FROM {schema}relay_lease ORDER BY 1
