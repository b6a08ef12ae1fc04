-- Times: visible_at, not_before, died_at and archived_at are milliseconds after the Unix epoch by the database's clock;
-- occurred_at is microseconds by the publisher's clock and decides nothing.

CREATE TABLE outbox_meta (
  schema_version INTEGER NOT NULL
) STRICT;
INSERT INTO outbox_meta (schema_version) VALUES (0);

-- One row per delivery: one event on its way to one target. A delivered row is deleted.
CREATE TABLE outbox (
  id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16), -- UUIDv7, made by the client
  event_id     BLOB    NOT NULL,             -- UUIDv7, the same for all targets of an event
  target       TEXT    NOT NULL,             -- a handler's name, or transport: and a transport's name
  topic        TEXT    NOT NULL,
  version      INTEGER NOT NULL,
  key          TEXT,
  key_seq      INTEGER,                      -- place in the key's order
  payload      BLOB    NOT NULL,
  content_type TEXT    NOT NULL,
  source       TEXT    NOT NULL,
  headers      TEXT    NOT NULL,             -- JSON object
  occurred_at  INTEGER NOT NULL,
  visible_at   INTEGER,                      -- when it may be leased; NULL while an earlier delivery of its key is not settled
  not_before   INTEGER,                      -- the end of the publisher's delay
  attempt      INTEGER NOT NULL DEFAULT 0,   -- failed attempts so far
  abandoned    INTEGER NOT NULL DEFAULT 0,   -- leases that ran out unsettled
  lease_token  BLOB,                         -- who may settle it; NULL when nobody has it
  last_error   TEXT,
  failures     TEXT                          -- JSON array of failed attempts
) STRICT;

-- What the scanner reads: the due deliveries of one target, oldest first. Deliveries that wait for their key are not in it.
CREATE INDEX outbox_due ON outbox (target, visible_at) WHERE visible_at IS NOT NULL;
-- Finds the head of a key.
CREATE INDEX outbox_of_key ON outbox (key, target, key_seq) WHERE key IS NOT NULL;

-- One row per line: the events of one key on their way to one target.
CREATE TABLE outbox_key (
  key     TEXT    NOT NULL,
  target  TEXT    NOT NULL,
  seq     INTEGER NOT NULL,                  -- the last place given: microseconds since 1970, or one more than the place before
  pending INTEGER NOT NULL,                  -- deliveries of the line in the outbox, and dead letters that block it
  PRIMARY KEY (key, target)
) STRICT, WITHOUT ROWID;

-- Deliveries that were given up. They stay until somebody redrives or discards them.
CREATE TABLE outbox_dead (
  id           BLOB    NOT NULL PRIMARY KEY,
  event_id     BLOB    NOT NULL,
  target       TEXT    NOT NULL,
  topic        TEXT    NOT NULL,
  version      INTEGER NOT NULL,
  key          TEXT,
  key_seq      INTEGER,
  payload      BLOB    NOT NULL,
  content_type TEXT    NOT NULL,
  source       TEXT    NOT NULL,
  headers      TEXT    NOT NULL,
  occurred_at  INTEGER NOT NULL,
  attempts     INTEGER NOT NULL,
  reason       TEXT    NOT NULL,             -- exhausted, terminal, undecodable, abandoned
  blocks       INTEGER NOT NULL,             -- 1 if its line waits until somebody redrives or discards it
  last_error   TEXT,
  failures     TEXT,
  died_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_dead_of_target ON outbox_dead (target, died_at);
CREATE INDEX outbox_dead_of_line ON outbox_dead (key, target) WHERE blocks;

-- Delivered deliveries; written only with `Retention::Archive`.
CREATE TABLE outbox_archive (
  id           BLOB    NOT NULL PRIMARY KEY,
  event_id     BLOB    NOT NULL,
  target       TEXT    NOT NULL,
  topic        TEXT    NOT NULL,
  version      INTEGER NOT NULL,
  key          TEXT,
  payload      BLOB    NOT NULL,
  content_type TEXT    NOT NULL,
  source       TEXT    NOT NULL,
  headers      TEXT    NOT NULL,
  occurred_at  INTEGER NOT NULL,
  archived_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_archive_age ON outbox_archive (archived_at);

-- Who leads: one process does what would be wasted if each of them did it.
CREATE TABLE relay_lease (
  name       TEXT    NOT NULL PRIMARY KEY,
  owner      TEXT    NOT NULL,               -- host and process, for people
  token      BLOB    NOT NULL,               -- the relay that leads
  expires_at INTEGER NOT NULL                -- milliseconds, as visible_at
) STRICT, WITHOUT ROWID;

-- The outbox for people: ids, times and payloads as text.
CREATE VIEW outbox_readable AS
SELECT
  lower(hex(id))                                                        AS id,
  lower(hex(event_id))                                                  AS event_id,
  target, topic, version, key, key_seq,
  CAST(payload AS TEXT)                                                 AS payload,
  source, headers,
  strftime('%Y-%m-%dT%H:%M:%fZ', occurred_at / 1000000.0, 'unixepoch')  AS occurred_at,
  CASE
    WHEN visible_at IS NULL THEN 'waits for its key'
    WHEN lease_token IS NOT NULL AND visible_at > unixepoch('now', 'subsec') * 1000 THEN 'leased'
    WHEN visible_at > unixepoch('now', 'subsec') * 1000 THEN 'waits for its time'
    ELSE 'due'
  END                                                                   AS state,
  strftime('%Y-%m-%dT%H:%M:%fZ', visible_at / 1000.0, 'unixepoch')      AS visible_at,
  attempt, abandoned, last_error
FROM outbox;
