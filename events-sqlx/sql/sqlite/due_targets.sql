-- Which of the targets ?1 (a JSON array) have something due. Reads only, so that an idle scanner never takes the write lock.
SELECT t.value FROM json_each(?1) AS t
WHERE EXISTS (
  SELECT 1 FROM outbox AS o
  WHERE o.target = t.value AND o.visible_at <= coalesce(?2, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER))
)
