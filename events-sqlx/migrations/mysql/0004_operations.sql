-- One row per process that delivers from this outbox or publishes into it, written by itself now and then. For people: nothing is decided by it.
CREATE TABLE IF NOT EXISTS {schema}outbox_process (
  id         BINARY(16)   NOT NULL PRIMARY KEY,
  owner      VARCHAR(255) NOT NULL,              -- host and process
  started_at DATETIME(6)  NOT NULL,
  seen_at    DATETIME(6)  NOT NULL,
  report     LONGTEXT     NOT NULL               -- JSON: counters, loops, the last minutes
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What people did: redriven, discarded, unblocked. Written in the transaction of the deed.
CREATE TABLE IF NOT EXISTS {schema}outbox_audit (
  id     BINARY(16)   NOT NULL PRIMARY KEY,      -- UUIDv7
  at     DATETIME(6)  NOT NULL,
  actor  VARCHAR(255) NOT NULL,
  action VARCHAR(64)  NOT NULL,
  detail LONGTEXT     NOT NULL                   -- JSON
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Dead letters by age, whatever their target. MySQL cannot make an index only where it is missing, so it is asked first.
SET @outbox_index = IF(
  EXISTS (
    SELECT 1 FROM information_schema.statistics
    WHERE index_name = 'outbox_dead_age' AND table_name = 'outbox_dead'
      AND table_schema = coalesce(nullif(replace(replace('{schema}', '`', ''), '.', ''), ''), DATABASE())
  ),
  'DO 0', 'CREATE INDEX outbox_dead_age ON {schema}outbox_dead (died_at, id)'
);
PREPARE outbox_index FROM @outbox_index;
EXECUTE outbox_index;
DEALLOCATE PREPARE outbox_index;
