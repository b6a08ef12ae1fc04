-- As `append`, with keys. The lines are counted up first, in their order; they stay locked until COMMIT, so places follow commit order
-- and two transactions never wait for each other in a circle. A delivery waits (no time, no token) if its line had any before, or if
-- there is one of this unit of work ahead of it. Returns those that wait because of what others published.
WITH line AS (
  INSERT INTO {schema}outbox_key AS k (key, target, seq, pending)
  SELECT key, target, {micros} + events - 1, events
  FROM unnest(:line.key::text[], :line.target::text[], :line.events::bigint[]) WITH ORDINALITY AS wanted (key, target, events, place)
  ORDER BY place
  ON CONFLICT (key, target) DO UPDATE SET seq = greatest(k.seq + excluded.pending, excluded.seq), pending = k.pending + excluded.pending
  RETURNING k.key, k.target, k.seq, k.pending
), placed AS (
  SELECT row.*, line.seq - row.behind AS key_seq, coalesce(line.pending > row.events, false) AS occupied
  FROM unnest(
    :row.id::uuid[], :row.event_id::uuid[], :row.target::text[], :row.topic::text[], :row.version::bigint[], :row.key::text[],
    :row.behind::bigint[], :row.events::bigint[], :row.payload::bytea[], :row.content_type::text[], :row.source::text[],
    :row.headers::text[], :row.occurred_at::timestamptz[], :row.visible_in::bigint[], :row.delay::bigint[], :row.lease_token::uuid[]
  ) AS row (
    id, event_id, target, topic, version, key, behind, events, payload, content_type, source, headers, occurred_at, visible_in, delay,
    lease_token
  )
  LEFT JOIN line ON line.key = row.key AND line.target = row.target
), written AS (
  INSERT INTO {schema}outbox (
    id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at,
    visible_at, not_before, lease_token
  )
  SELECT
    id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at,
    CASE WHEN NOT occupied THEN {now} + visible_in * interval '1 millisecond' END,
    {now} + delay * interval '1 millisecond',
    CASE WHEN NOT occupied THEN lease_token END
  FROM placed
)
SELECT id FROM placed WHERE occupied
