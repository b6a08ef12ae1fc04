-- Looks at the next :window dead letters, oldest first, from :from to :until, after :after if that died at :from too; tells which are meant.
SELECT id, TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', died_at), (
  (:target IS NULL OR target = :target) AND (:topic IS NULL OR topic = :topic) AND (:key IS NULL OR `key` = :key) AND (:reason IS NULL OR reason = :reason)
  AND (:error IS NULL OR instr(last_error, :error) > 0)
)
FROM {schema}outbox_dead
WHERE died_at >= (TIMESTAMP'1970-01-01 00:00:00' + INTERVAL :from MICROSECOND) AND died_at <= (TIMESTAMP'1970-01-01 00:00:00' + INTERVAL :until MICROSECOND) AND (died_at > (TIMESTAMP'1970-01-01 00:00:00' + INTERVAL :from MICROSECOND) OR id > :after)
ORDER BY died_at, id LIMIT :window
