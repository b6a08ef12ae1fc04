-- How many deliveries of each target wait for an earlier one of their key or for a dead letter that blocks it, in the first :most lines.
SELECT target, sum(greatest(pending - 1, 0))::bigint
FROM (SELECT target, pending FROM {schema}outbox_key LIMIT :most) AS line
WHERE pending > 0 GROUP BY target
