-- Who leads what, and for how long still, in microseconds.
SELECT CONVERT(name USING utf8mb4), owner, TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', expires_at) - TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', {now}) FROM {schema}relay_lease ORDER BY 1
