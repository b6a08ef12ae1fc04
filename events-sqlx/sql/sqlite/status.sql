-- What has become of the deliveries of an event. Their ids lie between :first and :last, so the primary keys find them.
SELECT
  id, event_id, target, topic,
  CASE
    WHEN visible_at IS NULL THEN 'key'
    WHEN visible_at <= {now} THEN 'due'
    WHEN lease_token IS NOT NULL THEN 'leased'
    ELSE 'later'
  END,
  visible_at, attempt, NULL, last_error
FROM {schema}outbox WHERE id BETWEEN :first AND :last AND event_id = :event
UNION ALL
SELECT id, event_id, target, topic, 'dead', died_at, attempts, reason, last_error
FROM {schema}outbox_dead WHERE id BETWEEN :first AND :last AND event_id = :event
UNION ALL
SELECT id, event_id, target, topic, 'delivered', archived_at, 0, NULL, NULL
FROM {schema}outbox_archive WHERE id BETWEEN :first AND :last AND event_id = :event
ORDER BY 3
