-- As `page_waiting`, for one target, in the order in which they are due: from :from to :until, after :after if that is due at :from too.
SELECT id, visible_at * 1000, (
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
WHERE target = :target AND visible_at >= :from / 1000 AND visible_at <= :until / 1000
  AND (visible_at > :from / 1000 OR id > :after)
ORDER BY visible_at, id LIMIT :window
