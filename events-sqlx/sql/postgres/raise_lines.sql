-- Counts the lines up by their events, in their order, and makes those that are missing. With 0 events it only locks.
INSERT INTO {schema}outbox_key AS k (key, target, seq, pending)
SELECT key, target, {micros} + events - 1, events
FROM unnest(:line.key::text[], :line.target::text[], :line.events::bigint[]) WITH ORDINALITY AS wanted (key, target, events, place)
ORDER BY place
ON CONFLICT (key, target) DO UPDATE SET seq = greatest(k.seq + excluded.pending, excluded.seq), pending = k.pending + excluded.pending
