-- One row per transaction whose events are prepared at a two-phase transport, written in that transaction: when a broker asks, it is the answer.
CREATE TABLE outbox_tx (
  tx_id      BLOB    NOT NULL PRIMARY KEY,       -- UUIDv7, made by the client
  state      INTEGER NOT NULL,                   -- 0: a broker has asked, nobody knows; 1: committed; 2: given up, can never commit
  created_at INTEGER NOT NULL                    -- milliseconds
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_tx_age ON outbox_tx (created_at);

-- Which outbox this is, so that brokers ask nobody else.
CREATE TABLE outbox_identity (
  id TEXT NOT NULL
) STRICT;
INSERT INTO outbox_identity (id) VALUES (lower(hex(randomblob(16))));
