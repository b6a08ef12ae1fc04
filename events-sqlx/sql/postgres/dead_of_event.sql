-- The dead letters among the deliveries of an event, or one of them: their ids lie between :first and :last. Filters as in `page_dead`.
SELECT id, (extract(epoch FROM died_at) * 1000000)::bigint, (
  (:target::text IS NULL OR target = :target) AND (:topic::text IS NULL OR topic = :topic) AND (:key::text IS NULL OR key = :key) AND (:reason::text IS NULL OR reason = :reason)
  AND (:error::text IS NULL OR strpos(last_error, :error) > 0)
)::integer::bigint
FROM {schema}outbox_dead WHERE id BETWEEN :first AND :last ORDER BY id
