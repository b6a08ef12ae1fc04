-- occurred_at is the publisher's clock and decides nothing; every other time is the database's.

CREATE TABLE {schema}outbox_meta (
  schema_version bigint NOT NULL
);
INSERT INTO {schema}outbox_meta (schema_version) VALUES (0);

-- One row per delivery: one event on its way to one target. A delivered row is deleted.
CREATE TABLE {schema}outbox (
  id           uuid        NOT NULL PRIMARY KEY, -- UUIDv7, made by the client
  event_id     uuid        NOT NULL,             -- UUIDv7, the same for all targets of an event
  target       text        NOT NULL,             -- a handler's name, or transport: and a transport's name
  topic        text        NOT NULL,
  version      integer     NOT NULL,
  key          text,
  key_seq      bigint,                           -- place in the key's order
  payload      bytea       NOT NULL,
  content_type text        NOT NULL,
  source       text        NOT NULL,
  headers      text        NOT NULL,             -- JSON object
  occurred_at  timestamptz NOT NULL,
  visible_at   timestamptz,                      -- when it may be leased; NULL while an earlier delivery of its key is not settled
  not_before   timestamptz,                      -- the end of the publisher's delay
  attempt      integer     NOT NULL DEFAULT 0,   -- failed attempts so far
  abandoned    integer     NOT NULL DEFAULT 0,   -- leases that ran out unsettled
  lease_token  uuid,                             -- who may settle it; NULL when nobody has it
  last_error   text,
  failures     text                              -- JSON array of failed attempts
) WITH (
  -- The table is a queue: it is small, and every row of it dies. Waiting for a fifth of it to be dead, as the default does,
  -- would let a long backlog bloat.
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_insert_scale_factor = 0.1,
  autovacuum_analyze_scale_factor = 0.05
);

-- What the scanner reads: the due deliveries of one target, oldest first. Deliveries that wait for their key are not in it.
CREATE INDEX outbox_due ON {schema}outbox (target, visible_at) WHERE visible_at IS NOT NULL;
-- Finds the head of a key.
CREATE INDEX outbox_of_key ON {schema}outbox (key, target, key_seq) WHERE key IS NOT NULL;

-- One row per line: the events of one key on their way to one target. Whoever adds to a line or settles on it locks its row.
CREATE TABLE {schema}outbox_key (
  key     text   NOT NULL,
  target  text   NOT NULL,
  seq     bigint NOT NULL,                       -- the last place given: microseconds since 1970, or one more than the place before
  pending bigint NOT NULL,                       -- deliveries of the line in the outbox, and dead letters that block it
  PRIMARY KEY (key, target)
) WITH (fillfactor = 50);

-- Deliveries that were given up. They stay until somebody redrives or discards them.
CREATE TABLE {schema}outbox_dead (
  id           uuid        NOT NULL PRIMARY KEY,
  event_id     uuid        NOT NULL,
  target       text        NOT NULL,
  topic        text        NOT NULL,
  version      integer     NOT NULL,
  key          text,
  key_seq      bigint,
  payload      bytea       NOT NULL,
  content_type text        NOT NULL,
  source       text        NOT NULL,
  headers      text        NOT NULL,
  occurred_at  timestamptz NOT NULL,
  attempts     integer     NOT NULL,
  reason       text        NOT NULL,             -- exhausted, terminal, undecodable, abandoned
  blocks       boolean     NOT NULL,             -- whether its line waits until somebody redrives or discards it
  last_error   text,
  failures     text,
  died_at      timestamptz NOT NULL
);
CREATE INDEX outbox_dead_of_target ON {schema}outbox_dead (target, died_at);
CREATE INDEX outbox_dead_of_line ON {schema}outbox_dead (key, target) WHERE blocks;

-- Delivered deliveries; written only with `Retention::Archive`.
CREATE TABLE {schema}outbox_archive (
  id           uuid        NOT NULL PRIMARY KEY,
  event_id     uuid        NOT NULL,
  target       text        NOT NULL,
  topic        text        NOT NULL,
  version      integer     NOT NULL,
  key          text,
  payload      bytea       NOT NULL,
  content_type text        NOT NULL,
  source       text        NOT NULL,
  headers      text        NOT NULL,
  occurred_at  timestamptz NOT NULL,
  archived_at  timestamptz NOT NULL
);
CREATE INDEX outbox_archive_age ON {schema}outbox_archive (archived_at);

-- Who leads: one process does what would be wasted if each of them did it.
CREATE TABLE {schema}relay_lease (
  name       text        NOT NULL PRIMARY KEY,
  owner      text        NOT NULL,               -- host and process, for people
  token      uuid        NOT NULL,               -- the relay that leads
  expires_at timestamptz NOT NULL
);

-- The outbox for people: payloads as text.
CREATE VIEW {schema}outbox_readable AS
SELECT
  id, event_id, target, topic, version, key, key_seq,
  CASE WHEN content_type = 'application/json' THEN convert_from(payload, 'UTF8') ELSE encode(payload, 'hex') END AS payload,
  source, headers, occurred_at,
  CASE
    WHEN visible_at IS NULL THEN 'waits for its key'
    WHEN lease_token IS NOT NULL AND visible_at > clock_timestamp() THEN 'leased'
    WHEN visible_at > clock_timestamp() THEN 'waits for its time'
    ELSE 'due'
  END AS state,
  visible_at, attempt, abandoned, last_error
FROM {schema}outbox;
