-- One row per transaction whose events are prepared at a two-phase transport, written in that transaction: when a broker asks, it is the answer.
CREATE TABLE IF NOT EXISTS {schema}outbox_tx (
  tx_id      BINARY(16)  NOT NULL PRIMARY KEY,   -- UUIDv7, made by the client
  state      TINYINT     NOT NULL,               -- 0: a broker has asked, nobody knows; 1: committed; 2: given up, can never commit
  created_at DATETIME(6) NOT NULL,
  INDEX outbox_tx_age (created_at)
) ENGINE = InnoDB;

-- Which outbox this is, so that brokers ask nobody else.
CREATE TABLE IF NOT EXISTS {schema}outbox_identity (
  only_row TINYINT     NOT NULL PRIMARY KEY,
  id       VARCHAR(36) NOT NULL
) ENGINE = InnoDB;
INSERT IGNORE INTO {schema}outbox_identity (only_row, id) VALUES (1, UUID());
