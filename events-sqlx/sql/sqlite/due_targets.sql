-- Which of the wanted targets have something due. Reads only, so that an idle scanner never takes the write lock.
SELECT t.value ->> 0 FROM json_each(:wanted) AS t
WHERE EXISTS (SELECT 1 FROM {schema}outbox AS o WHERE o.target = t.value ->> 0 AND o.visible_at <= {now})
