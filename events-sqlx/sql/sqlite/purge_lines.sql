-- Removes those of the lines that are still idle.
DELETE FROM {schema}outbox_key
WHERE pending = 0 AND seq < {micros} - :idle * 1000
  AND (key, target) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:line))
