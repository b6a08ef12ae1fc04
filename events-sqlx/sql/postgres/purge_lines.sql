-- Removes those of the locked lines that are still idle.
DELETE FROM {schema}outbox_key AS k USING unnest(:line.key::text[], :line.target::text[]) AS idle (key, target)
WHERE k.key = idle.key AND k.target = idle.target AND k.pending = 0 AND k.seq < {micros} - :idle * 1000
