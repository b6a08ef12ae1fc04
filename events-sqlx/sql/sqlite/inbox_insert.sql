-- The receipt of an event; writes nothing if it is there.
INSERT INTO {schema}inbox (consumer, event_id, handled_at) VALUES (:consumer, :event, {now}) ON CONFLICT DO NOTHING
