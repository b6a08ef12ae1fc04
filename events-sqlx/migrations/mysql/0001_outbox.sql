-- occurred_at is the publisher's clock and decides nothing; every other time is the database's, in UTC.
-- DDL commits by itself here, so every statement can be repeated; the program sets the version last.
-- Keys and targets are VARBINARY: it is the only type that compares byte by byte on both MySQL and MariaDB. In utf8mb4_bin 'a' and 'a '
-- would be one key.

CREATE TABLE IF NOT EXISTS {schema}outbox_meta (
  schema_version BIGINT NOT NULL PRIMARY KEY
) ENGINE = InnoDB;
INSERT INTO {schema}outbox_meta (schema_version)
SELECT 0 FROM (SELECT count(*) AS found FROM {schema}outbox_meta) AS meta WHERE meta.found = 0;

-- One row per delivery: one event on its way to one target. A delivered row is deleted.
CREATE TABLE IF NOT EXISTS {schema}outbox (
  id           BINARY(16)     NOT NULL PRIMARY KEY, -- UUIDv7, made by the client
  event_id     BINARY(16)     NOT NULL,             -- UUIDv7, the same for all targets of an event
  target       VARBINARY(255) NOT NULL,             -- a handler's name, or transport: and a transport's name
  topic        VARCHAR(255)   NOT NULL,
  version      INT            NOT NULL,
  `key`        VARBINARY(255),
  key_seq      BIGINT,                              -- place in the line's order
  payload      LONGBLOB       NOT NULL,
  content_type VARCHAR(255)   NOT NULL,
  source       VARCHAR(255)   NOT NULL,
  headers      LONGTEXT       NOT NULL,             -- JSON object
  occurred_at  DATETIME(6)    NOT NULL,
  visible_at   DATETIME(6),                         -- when it may be leased; NULL while an earlier delivery of its line is not settled
  not_before   DATETIME(6),                         -- the end of the publisher's delay
  attempt      INT            NOT NULL DEFAULT 0,   -- failed attempts so far
  abandoned    INT            NOT NULL DEFAULT 0,   -- leases that ran out unsettled
  lease_token  BINARY(16),                          -- who may settle it; NULL when nobody has it
  last_error   LONGTEXT,
  failures     LONGTEXT,                            -- JSON array of failed attempts
  -- What the scanner reads: the due deliveries of one target, oldest first. Those that wait for their line come before all of them.
  INDEX outbox_due (target, visible_at),
  -- Finds the head of a line.
  INDEX outbox_of_key (`key`, target, key_seq)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- A line is a key on its way to a target: the place of its latest delivery, and how many are not settled.
CREATE TABLE IF NOT EXISTS {schema}outbox_key (
  `key`   VARBINARY(255) NOT NULL,
  target  VARBINARY(255) NOT NULL,
  seq     BIGINT         NOT NULL,
  pending BIGINT         NOT NULL,
  PRIMARY KEY (`key`, target)
) ENGINE = InnoDB;

-- Deliveries that were given up. They stay until somebody redrives or discards them.
CREATE TABLE IF NOT EXISTS {schema}outbox_dead (
  id           BINARY(16)     NOT NULL PRIMARY KEY,
  event_id     BINARY(16)     NOT NULL,
  target       VARBINARY(255) NOT NULL,
  topic        VARCHAR(255)   NOT NULL,
  version      INT            NOT NULL,
  `key`        VARBINARY(255),
  key_seq      BIGINT,
  payload      LONGBLOB       NOT NULL,
  content_type VARCHAR(255)   NOT NULL,
  source       VARCHAR(255)   NOT NULL,
  headers      LONGTEXT       NOT NULL,
  occurred_at  DATETIME(6)    NOT NULL,
  attempts     INT            NOT NULL,
  reason       VARCHAR(32)    NOT NULL,             -- exhausted, terminal, undecodable, abandoned
  last_error   LONGTEXT,
  failures     LONGTEXT,
  died_at      DATETIME(6)    NOT NULL,
  blocks       BOOLEAN        NOT NULL DEFAULT FALSE, -- its line waits until somebody acts
  INDEX outbox_dead_of_target (target, died_at),
  -- Finds what blocks a line, however many others of the line have died.
  INDEX outbox_dead_of_line (`key`, target, blocks)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Delivered deliveries; written only with `Retention::Archive`.
CREATE TABLE IF NOT EXISTS {schema}outbox_archive (
  id           BINARY(16)     NOT NULL PRIMARY KEY,
  event_id     BINARY(16)     NOT NULL,
  target       VARBINARY(255) NOT NULL,
  topic        VARCHAR(255)   NOT NULL,
  version      INT            NOT NULL,
  `key`        VARBINARY(255),
  payload      LONGBLOB       NOT NULL,
  content_type VARCHAR(255)   NOT NULL,
  source       VARCHAR(255)   NOT NULL,
  headers      LONGTEXT       NOT NULL,
  occurred_at  DATETIME(6)    NOT NULL,
  archived_at  DATETIME(6)    NOT NULL,
  INDEX outbox_archive_age (archived_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Who does the work that only one process should do.
CREATE TABLE IF NOT EXISTS {schema}relay_lease (
  name       VARBINARY(255) NOT NULL PRIMARY KEY,
  owner      VARCHAR(255)   NOT NULL,               -- for people
  token      BINARY(16)     NOT NULL,
  expires_at DATETIME(6)    NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The outbox for people: ids, keys and payloads as text.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW {schema}outbox_readable AS
SELECT
  lower(hex(id))                    AS id,
  lower(hex(event_id))              AS event_id,
  CONVERT(target USING utf8mb4)     AS target,
  topic, version,
  CONVERT(`key` USING utf8mb4)      AS `key`,
  key_seq,
  CASE WHEN content_type = 'application/json' THEN CONVERT(payload USING utf8mb4) ELSE lower(hex(payload)) END AS payload,
  source, headers, occurred_at,
  CASE
    WHEN visible_at IS NULL THEN 'waits for its key'
    WHEN lease_token IS NOT NULL AND visible_at > UTC_TIMESTAMP(6) THEN 'leased'
    WHEN visible_at > UTC_TIMESTAMP(6) THEN 'waits for its time'
    ELSE 'due'
  END                               AS state,
  visible_at, attempt, abandoned, last_error
FROM {schema}outbox;
