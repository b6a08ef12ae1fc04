-- As `page_dead`, newest first: from :until back to :from, before :after if that died at :until too.
SELECT id, died_at * 1000, (
  (:target IS NULL OR target = :target) AND (:topic IS NULL OR topic = :topic) AND (:key IS NULL OR key = :key) AND (:reason IS NULL OR reason = :reason)
  AND (:error IS NULL OR instr(last_error, :error) > 0)
)
FROM {schema}outbox_dead
WHERE died_at >= :from / 1000 AND died_at <= :until / 1000 AND (died_at < :until / 1000 OR id < :after)
ORDER BY died_at DESC, id DESC LIMIT :window
