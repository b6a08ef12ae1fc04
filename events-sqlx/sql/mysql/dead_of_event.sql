-- The dead letters among the deliveries of an event, or one of them: their ids lie between :first and :last. Filters as in `page_dead`.
SELECT id, TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', died_at), (
  (:target IS NULL OR target = :target) AND (:topic IS NULL OR topic = :topic) AND (:key IS NULL OR `key` = :key) AND (:reason IS NULL OR reason = :reason)
  AND (:error IS NULL OR instr(last_error, :error) > 0)
)
FROM {schema}outbox_dead WHERE id BETWEEN :first AND :last ORDER BY id
