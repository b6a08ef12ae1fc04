-- Takes the next numbers of keys, given as a JSON array of [key, how many] in the order of keys.
-- The rows stay locked until COMMIT, so numbers follow commit order.
INSERT INTO outbox_key (key, seq)
SELECT line.value ->> 0, line.value ->> 1 FROM json_each(?) AS line WHERE true
ON CONFLICT (key) DO UPDATE SET seq = seq + excluded.seq;
