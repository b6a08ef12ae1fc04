-- Delivery ?1 with token ?2 failed; it is due again after ?3 milliseconds.
UPDATE outbox SET
  visible_at = coalesce(?6, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)) + ?3,
  attempt = attempt + 1,
  abandoned = 0,
  lease_token = NULL,
  last_error = ?4,
  failures = ?5
WHERE id = ?1 AND lease_token = ?2
