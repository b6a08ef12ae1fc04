-- As `page_waiting`, for one key, in its order.
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
WHERE key = :key ORDER BY key, target, key_seq LIMIT :window
