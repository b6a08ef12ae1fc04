-- Looks at the next :window deliveries after :after, oldest first, and tells which of them are meant. A filter that is NULL takes everything.
-- The window bounds the cost, whatever the filter.
SELECT id, 0, (
  (:target IS NULL OR target = :target) AND (:topic IS NULL OR topic = :topic) AND (:key IS NULL OR key = :key)
  AND (:error IS NULL OR instr(last_error, :error) > 0)
  AND (:state IS NULL OR :state = CASE
    WHEN visible_at IS NULL THEN 'key'
    WHEN visible_at <= {now} THEN 'due'
    WHEN lease_token IS NOT NULL THEN 'leased'
    ELSE 'later'
  END)
)
FROM {schema}outbox
WHERE id > :after AND id >= :first AND id <= :last ORDER BY id LIMIT :window
