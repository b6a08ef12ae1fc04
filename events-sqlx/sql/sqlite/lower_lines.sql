-- Counts the lines down by their events.
UPDATE {schema}outbox_key SET pending = max(pending - over.events, 0)
FROM (SELECT value ->> 0 AS key, value ->> 1 AS target, value ->> 2 AS events FROM json_each(:line)) AS over
WHERE outbox_key.key = over.key AND outbox_key.target = over.target
