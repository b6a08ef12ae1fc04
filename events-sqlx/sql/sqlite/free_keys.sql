-- Makes the next delivery of each of the lines ?1 (a JSON array of [key, target]) deliverable.
UPDATE outbox SET
  visible_at = max(coalesce(not_before, 0), coalesce(?2, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)))
WHERE visible_at IS NULL AND rowid IN (
  SELECT (
    SELECT o.rowid FROM outbox AS o
    WHERE o.key = line.value ->> 0 AND o.target = line.value ->> 1
    ORDER BY o.key_seq LIMIT 1
  )
  FROM json_each(?1) AS line
)
