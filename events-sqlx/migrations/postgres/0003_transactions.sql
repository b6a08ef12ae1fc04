-- One row per transaction whose events are prepared at a two-phase transport, written in that transaction: when a broker asks, it is the answer.
CREATE TABLE {schema}outbox_tx (
  tx_id      uuid        NOT NULL PRIMARY KEY,   -- UUIDv7, made by the client
  state      smallint    NOT NULL,               -- 0: a broker has asked, nobody knows; 1: committed; 2: given up, can never commit
  created_at timestamptz NOT NULL
);
CREATE INDEX outbox_tx_age ON {schema}outbox_tx (created_at);

-- Which outbox this is, so that brokers ask nobody else.
CREATE TABLE {schema}outbox_identity (
  id text NOT NULL
);
INSERT INTO {schema}outbox_identity (id) VALUES (gen_random_uuid()::text);
