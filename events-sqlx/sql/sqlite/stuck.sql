-- Which targets have deliveries whose leases ran out unsettled, among the oldest :most deliveries: how many, and the most leases of one.
SELECT target, count(*), max(abandoned)
FROM (SELECT target, abandoned FROM {schema}outbox ORDER BY id LIMIT :most) AS oldest
WHERE abandoned > 0 GROUP BY target ORDER BY 1
