-- The tables of the ticketing service, in a database of its own.

-- Every event that ever arrived, once, with the number of times it did.
CREATE TABLE IF NOT EXISTS inbox (
    position    INTEGER PRIMARY KEY,
    event_id    TEXT    NOT NULL UNIQUE,
    topic       TEXT    NOT NULL,
    order_id    INTEGER NOT NULL,
    payment     TEXT,
    occurred_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    deliveries  INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE TABLE IF NOT EXISTS passes (
    order_id INTEGER PRIMARY KEY,
    state    TEXT NOT NULL CHECK (state IN ('valid', 'used'))
) STRICT;
