-- Counts anew what the lines have: somebody deleted rows by hand, or a target was renamed.
UPDATE {schema}outbox_key SET
  pending = (SELECT count(*) FROM {schema}outbox AS o WHERE o.key = outbox_key.key AND o.target = outbox_key.target)
    + (SELECT count(*) FROM {schema}outbox_dead AS d WHERE d.key = outbox_key.key AND d.target = outbox_key.target AND d.blocks),
  seq = max(seq, coalesce(
    (SELECT max(o.key_seq) FROM {schema}outbox AS o WHERE o.key = outbox_key.key AND o.target = outbox_key.target), 0))
WHERE (key, target) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:line))
