-- The receipt of an event. Waits for whoever is writing the same one; writes nothing if that was committed.
INSERT INTO {schema}inbox (consumer, event_id, handled_at) VALUES (:consumer, :event, {now}) ON CONFLICT DO NOTHING
