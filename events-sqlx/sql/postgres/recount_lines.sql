-- Counts anew what the locked lines have: somebody deleted rows by hand, or a target was renamed.
UPDATE {schema}outbox_key AS k SET
  pending = (SELECT count(*) FROM {schema}outbox AS o WHERE o.key = k.key AND o.target = k.target)
    + (SELECT count(*) FROM {schema}outbox_dead AS d WHERE d.key = k.key AND d.target = k.target AND d.blocks),
  seq = greatest(k.seq, (SELECT max(o.key_seq) FROM {schema}outbox AS o WHERE o.key = k.key AND o.target = k.target))
FROM unnest(:line.key::text[], :line.target::text[]) AS wrong (key, target)
WHERE k.key = wrong.key AND k.target = wrong.target
