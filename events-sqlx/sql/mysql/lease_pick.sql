-- Locks at most :most due deliveries of :target and returns them, oldest first; heads of their lines only. Whoever else is at one of
-- them has it locked, and it is skipped. A token that is still there belongs to a lease that ran out.
-- The subquery stops at the first row of the line, however long the line is.
SELECT
  o.id, o.event_id, CONVERT(o.target USING utf8mb4), o.topic, o.version, CONVERT(o.`key` USING utf8mb4), o.payload, o.content_type,
  o.source, o.headers, o.occurred_at, o.attempt, o.abandoned + (o.lease_token IS NOT NULL), o.failures
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
FOR UPDATE SKIP LOCKED
