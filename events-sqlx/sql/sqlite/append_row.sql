(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
 coalesce(?, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)) + ?,
 coalesce(?, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)) + ?, ?)
