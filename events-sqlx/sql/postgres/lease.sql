-- Leases due deliveries, at most so many of each target, with :token for :lease milliseconds; heads of their keys only.
-- Of a target that says :within, only those that became due within so many milliseconds: what lies behind may be the remains of millions.
-- A token that is still there belongs to a lease that ran out. An array, because joined to `due`, whose size the planner guesses too
-- high, the whole table would be read.
WITH due AS MATERIALIZED (
  SELECT picked.place
  FROM unnest(:wanted.target::text[], :wanted.most::bigint[], :wanted.within::bigint[]) AS wanted (target, most, within)
  CROSS JOIN LATERAL (
    SELECT o.ctid AS place FROM {schema}outbox AS o
    WHERE o.target = wanted.target
      AND o.visible_at <= coalesce(to_timestamp(:now::float8 / 1000), statement_timestamp())
      AND o.visible_at > coalesce(statement_timestamp() - wanted.within * interval '1 millisecond', '-infinity')
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
  lease_token = :token,
  visible_at = {now} + :lease::bigint * interval '1 millisecond',
  abandoned = o.abandoned + (o.lease_token IS NOT NULL)::integer
WHERE o.ctid = ANY (ARRAY(SELECT due.place FROM due))
RETURNING
  o.id, o.event_id, o.target, o.topic, o.version, o.key, o.payload, o.content_type, o.source, o.headers, o.occurred_at,
  o.attempt, o.abandoned, o.failures
