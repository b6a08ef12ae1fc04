-- How many dead letters each target has, of the first :most, and when the latest of them died.
SELECT CONVERT(target USING utf8mb4), count(*), max(died_at) FROM (SELECT target, died_at FROM {schema}outbox_dead LIMIT :most) AS letter
GROUP BY target ORDER BY 1
