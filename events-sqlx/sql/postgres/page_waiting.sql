-- Looks at the next :window deliveries after :after, oldest first, and tells which of them are meant. A filter that is NULL takes everything.
-- The window bounds the cost, whatever the filter.
SELECT id, 0::bigint, (
  (:target::text IS NULL OR target = :target) AND (:topic::text IS NULL OR topic = :topic) AND (:key::text IS NULL OR key = :key)
  AND (:error::text IS NULL OR strpos(last_error, :error) > 0)
  AND (:state::text IS NULL OR :state = CASE
    WHEN visible_at IS NULL THEN 'key'
    WHEN visible_at <= {now} THEN 'due'
    WHEN lease_token IS NOT NULL THEN 'leased'
    ELSE 'later'
  END)
)::integer::bigint
FROM {schema}outbox
WHERE id > :after AND id >= :first AND id <= :last ORDER BY id LIMIT :window
