-- One row per event from a broker and handler that has handled it, written in the transaction of its effect.
CREATE TABLE {schema}inbox (
  consumer   text        NOT NULL,               -- the handler's name
  event_id   uuid        NOT NULL,
  handled_at timestamptz NOT NULL,
  PRIMARY KEY (consumer, event_id)
);
CREATE INDEX inbox_age ON {schema}inbox (handled_at);

-- Finds the dead letters of a key, for its status.
CREATE INDEX outbox_dead_of_key ON {schema}outbox_dead (key) WHERE key IS NOT NULL;
