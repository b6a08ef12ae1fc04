-- As `page_waiting`, for one key, in its order.
SELECT id, 0, (
  (:target IS NULL OR target = :target) AND (:topic IS NULL OR topic = :topic) AND (:key IS NULL OR `key` = :key)
  AND (:error IS NULL OR instr(last_error, :error) > 0)
  AND (:state IS NULL OR :state = CASE
    WHEN visible_at IS NULL THEN 'key'
    WHEN visible_at <= {now} THEN 'due'
    WHEN lease_token IS NOT NULL THEN 'leased'
    ELSE 'later'
  END)
)
FROM {schema}outbox FORCE INDEX (outbox_of_key)
WHERE `key` = :key ORDER BY `key`, target, key_seq LIMIT :window
