-- As `page_waiting`, for one target, in the order in which they are due: from :from to :until, after :after if that is due at :from too.
SELECT id, TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', visible_at), (
  (:target IS NULL OR target = :target) AND (:topic IS NULL OR topic = :topic) AND (:key IS NULL OR `key` = :key)
  AND (:error IS NULL OR instr(last_error, :error) > 0)
  AND (:state IS NULL OR :state = CASE
    WHEN visible_at IS NULL THEN 'key'
    WHEN visible_at <= {now} THEN 'due'
    WHEN lease_token IS NOT NULL THEN 'leased'
    ELSE 'later'
  END)
)
FROM {schema}outbox FORCE INDEX (outbox_due)
WHERE target = :target AND visible_at >= (TIMESTAMP'1970-01-01 00:00:00' + INTERVAL :from MICROSECOND) AND visible_at <= (TIMESTAMP'1970-01-01 00:00:00' + INTERVAL :until MICROSECOND)
  AND (visible_at > (TIMESTAMP'1970-01-01 00:00:00' + INTERVAL :from MICROSECOND) OR id > :after)
ORDER BY visible_at, id LIMIT :window
