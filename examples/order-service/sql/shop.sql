-- The shop's own tables, beside those of the outbox. Times are microseconds after the Unix epoch, UTC.

-- The name by which the shop is known at a broker that it may share with others: one row.
CREATE TABLE IF NOT EXISTS shop (
    name TEXT NOT NULL
) STRICT;

INSERT INTO shop (name) SELECT lower(hex(randomblob(8))) WHERE NOT EXISTS (SELECT 1 FROM shop);

CREATE TABLE IF NOT EXISTS orders (
    order_id      INTEGER PRIMARY KEY,
    customer      TEXT    NOT NULL,
    ship_name     TEXT    NOT NULL,
    ship_city     TEXT    NOT NULL,
    ship_country  TEXT    NOT NULL,
    freight_cents INTEGER NOT NULL,
    total_cents   INTEGER NOT NULL,
    status        TEXT    NOT NULL CHECK (status IN ('placed', 'paid', 'shipped', 'cancelled')),
    placed_at     INTEGER NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS orders_unpaid ON orders (customer) WHERE status = 'placed';

CREATE TABLE IF NOT EXISTS order_lines (
    order_id         INTEGER NOT NULL REFERENCES orders,
    line             INTEGER NOT NULL,
    product_id       INTEGER NOT NULL,
    quantity         INTEGER NOT NULL,
    unit_price_cents INTEGER NOT NULL,
    discount_percent INTEGER NOT NULL,
    PRIMARY KEY (order_id, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS payments (
    order_id     INTEGER PRIMARY KEY REFERENCES orders,
    reference    TEXT    NOT NULL UNIQUE,
    amount_cents INTEGER NOT NULL,
    paid_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS shipments (
    order_id   INTEGER PRIMARY KEY REFERENCES orders,
    shipped_at INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS cancellations (
    order_id     INTEGER PRIMARY KEY REFERENCES orders,
    reason       TEXT    NOT NULL,
    cancelled_at INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS users (
    name          TEXT    PRIMARY KEY,
    mail          TEXT    NOT NULL,
    password      TEXT    NOT NULL,           -- an Argon2 hash
    code          TEXT    NOT NULL,
    active        INTEGER NOT NULL DEFAULT 0,
    failures      INTEGER NOT NULL DEFAULT 0, -- wrong passwords in a row
    locked        INTEGER NOT NULL DEFAULT 0,
    registered_at INTEGER NOT NULL
) STRICT;

-- What the handlers write. `event_id` is deliberately not unique in any of these tables: a second delivery shall leave a
-- second row for the audit to find, instead of being swept under a constraint.

CREATE TABLE IF NOT EXISTS tickets (
    ticket_no   INTEGER PRIMARY KEY,
    order_id    INTEGER NOT NULL REFERENCES orders,
    event_id    TEXT    NOT NULL,
    payment     TEXT    NOT NULL,
    occurred_at INTEGER NOT NULL,
    issued_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS tickets_of_order ON tickets (order_id);

CREATE TABLE IF NOT EXISTS receipts (
    receipt_no   INTEGER PRIMARY KEY,
    order_id     INTEGER NOT NULL,
    event_id     TEXT    NOT NULL,
    payment      TEXT    NOT NULL,
    amount_cents INTEGER NOT NULL,
    occurred_at  INTEGER NOT NULL,
    sent_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS order_timeline (
    entry_no    INTEGER PRIMARY KEY,
    order_id    INTEGER NOT NULL,
    event_id    TEXT    NOT NULL,
    topic       TEXT    NOT NULL,
    payment     TEXT,
    summary     TEXT    NOT NULL,
    occurred_at INTEGER NOT NULL,
    noted_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS timeline_of_order ON order_timeline (order_id, occurred_at);

CREATE TABLE IF NOT EXISTS letters (
    name     TEXT    NOT NULL REFERENCES users,
    mail     TEXT    NOT NULL,
    text     TEXT    NOT NULL,
    event_id TEXT    NOT NULL,
    sent_at  INTEGER NOT NULL
) STRICT;
