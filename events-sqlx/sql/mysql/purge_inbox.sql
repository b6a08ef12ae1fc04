-- Removes at most :limit receipts that are older than :keep milliseconds.
DELETE i
FROM (
  SELECT old.consumer, old.event_id FROM {schema}inbox AS old FORCE INDEX (inbox_age)
  WHERE old.handled_at < {now} - INTERVAL :keep * 1000 MICROSECOND
  ORDER BY old.handled_at LIMIT :limit
) AS chosen
STRAIGHT_JOIN {schema}inbox AS i FORCE INDEX (PRIMARY) ON i.consumer = chosen.consumer AND i.event_id = chosen.event_id
