-- Locks the lines, in their order, so that nobody adds to them while their next delivery is being made deliverable.
SELECT 1 FROM unnest(:line.key::text[], :line.target::text[]) WITH ORDINALITY AS wanted (key, target, place)
JOIN {schema}outbox_key AS k ON k.key = wanted.key AND k.target = wanted.target
ORDER BY wanted.place
FOR NO KEY UPDATE OF k
