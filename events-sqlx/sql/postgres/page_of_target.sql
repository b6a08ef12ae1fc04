-- As `page_waiting`, for one target, in the order in which they are due: from :from to :until, after :after if that is due at :from too.
SELECT id, (extract(epoch FROM visible_at) * 1000000)::bigint, (
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
WHERE target = :target AND visible_at >= (timestamptz 'epoch' + :from::bigint * interval '1 microsecond') AND visible_at <= (timestamptz 'epoch' + :until::bigint * interval '1 microsecond')
  AND (visible_at > (timestamptz 'epoch' + :from::bigint * interval '1 microsecond') OR id > :after)
ORDER BY visible_at, id LIMIT :window
