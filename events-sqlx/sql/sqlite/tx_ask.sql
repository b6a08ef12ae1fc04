-- Notes that a broker has asked about a transaction of which there is no trace.
INSERT INTO {schema}outbox_tx (tx_id, state, created_at) VALUES (:tx, 0, {now}) ON CONFLICT DO NOTHING
