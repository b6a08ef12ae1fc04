-- Finds at most :most deliveries of :target that look due, oldest first; heads of their lines only. It locks nothing, so it does not
-- stop at what others have locked, nor at every row that was deleted while somebody holds an old snapshot open.
-- The subquery stops at the first row of the line, however long the line is.
SELECT o.id
FROM {schema}outbox AS o FORCE INDEX (outbox_due)
WHERE o.target = :target
  AND o.visible_at <= {now}
  AND o.visible_at > coalesce(UTC_TIMESTAMP(6) - INTERVAL :within * 1000 MICROSECOND, TIMESTAMP'1000-01-01 00:00:00')
  AND (o.`key` IS NULL OR o.key_seq <= (
    SELECT head.key_seq FROM {schema}outbox AS head FORCE INDEX (outbox_of_key)
    WHERE head.`key` = o.`key` AND head.target = o.target
    ORDER BY head.key_seq LIMIT 1
  ))
ORDER BY o.visible_at
LIMIT :most
