-- Makes the next delivery of each of the lines (key $1, target $2) deliverable. The keys are locked.
UPDATE {schema}outbox AS o SET
  visible_at = greatest(o.not_before, coalesce(to_timestamp($3::float8 / 1000), clock_timestamp()))
FROM unnest($1::text[], $2::text[]) AS line (key, target)
CROSS JOIN LATERAL (
  SELECT n.id FROM {schema}outbox AS n WHERE n.key = line.key AND n.target = line.target ORDER BY n.key_seq LIMIT 1
) AS next
WHERE o.id = next.id AND o.visible_at IS NULL
