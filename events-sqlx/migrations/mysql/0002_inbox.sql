-- One row per event from a broker and handler that has handled it, written in the transaction of its effect.
CREATE TABLE IF NOT EXISTS {schema}inbox (
  consumer   VARBINARY(255) NOT NULL,            -- the handler's name
  event_id   BINARY(16)     NOT NULL,
  handled_at DATETIME(6)    NOT NULL,
  PRIMARY KEY (consumer, event_id),
  INDEX inbox_age (handled_at)
) ENGINE = InnoDB;
