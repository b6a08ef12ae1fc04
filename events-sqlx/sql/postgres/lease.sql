-- Leases due deliveries, at most $2 of each target $1, with token $3 for $4 milliseconds; heads of their keys only.
-- A token that is still there belongs to a lease that ran out.
WITH due AS MATERIALIZED (
  SELECT picked.id
  FROM unnest($1::text[], $2::bigint[]) AS wanted (target, most)
  CROSS JOIN LATERAL (
    SELECT o.id FROM {schema}outbox AS o
    WHERE o.target = wanted.target
      AND o.visible_at <= coalesce(to_timestamp($5::float8 / 1000), statement_timestamp())
      AND (o.key IS NULL OR NOT EXISTS (
        SELECT 1 FROM {schema}outbox AS earlier
        WHERE earlier.key = o.key AND earlier.target = o.target AND earlier.key_seq < o.key_seq
      ))
    ORDER BY o.visible_at
    LIMIT wanted.most
    FOR UPDATE OF o SKIP LOCKED
  ) AS picked
)
UPDATE {schema}outbox AS o SET
  lease_token = $3,
  visible_at = coalesce(to_timestamp($5::float8 / 1000), clock_timestamp()) + $4::bigint * interval '1 millisecond',
  abandoned = o.abandoned + (o.lease_token IS NOT NULL)::integer
FROM due WHERE o.id = due.id
RETURNING
  o.id, o.event_id, o.topic, o.version, o.key, o.payload, o.content_type, o.source, o.headers, o.occurred_at,
  o.attempt, o.abandoned, o.failures, o.target
