-- One row per process that delivers from this outbox or publishes into it, written by itself now and then. For people: nothing is decided by it.
CREATE TABLE {schema}outbox_process (
  id         uuid        NOT NULL PRIMARY KEY,
  owner      text        NOT NULL,               -- host and process
  started_at timestamptz NOT NULL,
  seen_at    timestamptz NOT NULL,
  report     text        NOT NULL                -- JSON: counters, loops, the last minutes
);

-- What people did: redriven, discarded, unblocked. Written in the transaction of the deed.
CREATE TABLE {schema}outbox_audit (
  id     uuid        NOT NULL PRIMARY KEY,       -- UUIDv7
  at     timestamptz NOT NULL,
  actor  text        NOT NULL,
  action text        NOT NULL,
  detail text        NOT NULL                    -- JSON
);

-- Dead letters by age, whatever their target.
CREATE INDEX outbox_dead_age ON {schema}outbox_dead (died_at, id);
