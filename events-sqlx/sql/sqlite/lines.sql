-- The lines as they are now: what this transaction added to them is in.
SELECT k.key, k.target, k.seq, k.pending FROM json_each(:line) AS line
JOIN {schema}outbox_key AS k ON k.key = line.value ->> 0 AND k.target = line.value ->> 1
