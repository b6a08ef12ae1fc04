-- One row per process that delivers from this outbox or publishes into it, written by itself now and then. For people: nothing is decided by it.
CREATE TABLE outbox_process (
  id         BLOB    NOT NULL PRIMARY KEY,
  owner      TEXT    NOT NULL,                   -- host and process
  started_at INTEGER NOT NULL,                   -- milliseconds, as all times here
  seen_at    INTEGER NOT NULL,
  report     TEXT    NOT NULL                    -- JSON: counters, loops, the last minutes
) STRICT, WITHOUT ROWID;

-- What people did: redriven, discarded, unblocked. Written in the transaction of the deed.
CREATE TABLE outbox_audit (
  id     BLOB    NOT NULL PRIMARY KEY,           -- UUIDv7
  at     INTEGER NOT NULL,
  actor  TEXT    NOT NULL,
  action TEXT    NOT NULL,
  detail TEXT    NOT NULL                        -- JSON
) STRICT, WITHOUT ROWID;

-- Dead letters by age, whatever their target.
CREATE INDEX outbox_dead_age ON outbox_dead (died_at, id);
