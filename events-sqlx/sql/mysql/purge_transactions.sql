-- Removes at most :limit transactions that are older than :keep milliseconds.
DELETE t
FROM (
  SELECT old.tx_id FROM {schema}outbox_tx AS old FORCE INDEX (outbox_tx_age)
  WHERE old.created_at < {now} - INTERVAL :keep * 1000 MICROSECOND
  ORDER BY old.created_at LIMIT :limit
) AS chosen
STRAIGHT_JOIN {schema}outbox_tx AS t FORCE INDEX (PRIMARY) ON t.tx_id = chosen.tx_id
