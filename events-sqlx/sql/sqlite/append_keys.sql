-- Takes the next ?2 numbers of key ?1, and tells which of the targets ?3 (a JSON array) still have an earlier delivery of it.
-- The row stays locked until COMMIT, so numbers follow commit order.
INSERT INTO outbox_key (key, seq) VALUES (?1, ?2)
ON CONFLICT (key) DO UPDATE SET seq = seq + ?2
RETURNING seq, (
  SELECT json_group_array(t.value) FROM json_each(?3) AS t
  WHERE EXISTS (SELECT 1 FROM outbox AS o WHERE o.key = ?1 AND o.target = t.value)
)
