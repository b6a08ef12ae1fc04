(?, ?, ?, ?, ?, ?, (SELECT seq FROM outbox_key WHERE key = ?) - ?, ?, ?, ?, ?, ?,
 CASE WHEN EXISTS (SELECT 1 FROM outbox AS o WHERE o.key = ? AND o.target = ?) THEN NULL
      ELSE coalesce(?, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)) + ? END,
 coalesce(?, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)) + ?,
 CASE WHEN EXISTS (SELECT 1 FROM outbox AS o WHERE o.key = ? AND o.target = ?) THEN NULL ELSE ? END)
