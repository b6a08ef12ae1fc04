-- What waits or was given up of the events of a key, oldest first.
SELECT
  id, event_id, target, topic,
  CASE
    WHEN visible_at IS NULL THEN 'key'
    WHEN visible_at <= {now} THEN 'due'
    WHEN lease_token IS NOT NULL THEN 'leased'
    ELSE 'later'
  END,
  visible_at, attempt, NULL::text, last_error
FROM {schema}outbox WHERE key = :key
UNION ALL
SELECT id, event_id, target, topic, 'dead', died_at, attempts, reason, last_error
FROM {schema}outbox_dead WHERE key = :key
ORDER BY 1
