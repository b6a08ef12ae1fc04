-- Says that this transaction commits. Writes nothing if a broker has asked about it before.
INSERT INTO {schema}outbox_tx (tx_id, state, created_at) VALUES (:tx, 1, {now}) ON CONFLICT DO NOTHING
