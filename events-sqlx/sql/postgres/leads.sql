-- Who leads what, and for how long still, in microseconds.
SELECT name, owner, (extract(epoch FROM expires_at) * 1000000)::bigint - (extract(epoch FROM (SELECT {now})) * 1000000)::bigint FROM {schema}relay_lease ORDER BY 1
