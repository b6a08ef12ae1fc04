-- Counts the lines up by their events, and makes those that are missing.
INSERT INTO {schema}outbox_key (key, target, seq, pending)
SELECT line.value ->> 0, line.value ->> 1, {micros} + (line.value ->> 2) - 1, line.value ->> 2 FROM json_each(:line) AS line WHERE true
ON CONFLICT (key, target) DO UPDATE SET seq = max(seq + excluded.pending, excluded.seq), pending = pending + excluded.pending
