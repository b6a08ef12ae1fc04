-- One row per event from a broker and handler that has handled it, written in the transaction of its effect.
CREATE TABLE inbox (
  consumer   TEXT    NOT NULL,                   -- the handler's name
  event_id   BLOB    NOT NULL,
  handled_at INTEGER NOT NULL,                   -- milliseconds
  PRIMARY KEY (consumer, event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_age ON inbox (handled_at);

-- Finds the dead letters of a key, for its status.
CREATE INDEX outbox_dead_of_key ON outbox_dead (key) WHERE key IS NOT NULL;
