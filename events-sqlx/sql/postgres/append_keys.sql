-- Takes the next $2 numbers of each of the keys $1 and returns the last one. The rows stay locked until COMMIT, so numbers follow
-- commit order; the keys come sorted, so that two transactions lock them in the same order.
INSERT INTO {schema}outbox_key AS k (key, seq)
SELECT key, events FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS wanted (key, events, place) ORDER BY place
ON CONFLICT (key) DO UPDATE SET seq = k.seq + excluded.seq
RETURNING k.key, k.seq
