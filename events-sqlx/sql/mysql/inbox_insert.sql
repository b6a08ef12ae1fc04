-- The receipt of an event. Waits for whoever is writing the same one; writes nothing if that was committed. IGNORE would let other mistakes
-- pass too, but the name was checked at start-up and nothing else can be wrong.
INSERT IGNORE INTO {schema}inbox (consumer, event_id, handled_at) VALUES (:consumer, :event, {now})
