-- Locks those of the found deliveries that are still due and the heads of their lines, and returns them. Whoever else is at one of them
-- has it locked, and it is skipped. A token that is still there belongs to a lease that ran out.
SELECT
  o.id, o.event_id, CONVERT(o.target USING utf8mb4), o.topic, o.version, CONVERT(o.`key` USING utf8mb4), o.payload, o.content_type,
  o.source, o.headers, o.occurred_at, o.attempt, o.abandoned + (o.lease_token IS NOT NULL), o.failures
FROM JSON_TABLE(:found, '$[*]' COLUMNS (
  id CHAR(32) CHARACTER SET ascii PATH '$[0]'
)) AS found
STRAIGHT_JOIN {schema}outbox AS o FORCE INDEX (PRIMARY) ON o.id = UNHEX(found.id)
WHERE o.target = :target
  AND o.visible_at <= {now}
  AND (o.`key` IS NULL OR o.key_seq <= (
    SELECT head.key_seq FROM {schema}outbox AS head FORCE INDEX (outbox_of_key)
    WHERE head.`key` = o.`key` AND head.target = o.target
    ORDER BY head.key_seq LIMIT 1
  ))
FOR UPDATE SKIP LOCKED
