-- As `page_dead`, newest first: from :until back to :from, before :after if that died at :until too.
SELECT id, (extract(epoch FROM died_at) * 1000000)::bigint, (
  (:target::text IS NULL OR target = :target) AND (:topic::text IS NULL OR topic = :topic) AND (:key::text IS NULL OR key = :key) AND (:reason::text IS NULL OR reason = :reason)
  AND (:error::text IS NULL OR strpos(last_error, :error) > 0)
)::integer::bigint
FROM {schema}outbox_dead
WHERE died_at >= (timestamptz 'epoch' + :from::bigint * interval '1 microsecond') AND died_at <= (timestamptz 'epoch' + :until::bigint * interval '1 microsecond') AND (died_at < (timestamptz 'epoch' + :until::bigint * interval '1 microsecond') OR id < :after)
ORDER BY died_at DESC, id DESC LIMIT :window
