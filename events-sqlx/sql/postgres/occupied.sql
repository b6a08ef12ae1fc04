-- Which of the lines (key $1, target $2) still have a delivery. A statement of its own: it must see what was committed while the
-- one before it waited for the keys.
SELECT line.key, line.target FROM unnest($1::text[], $2::text[]) AS line (key, target)
WHERE EXISTS (SELECT 1 FROM {schema}outbox AS o WHERE o.key = line.key AND o.target = line.target)
