-- The shop. An order and its row of the message table are written in one transaction.

-- The number is the customer's, so that the same order cannot be placed twice.
CREATE TABLE IF NOT EXISTS orders (
    order_no TEXT    PRIMARY KEY,
    quantity INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Where each order stands on its way to the warehouse. Every update names the version that it has read.
CREATE TABLE IF NOT EXISTS messages (
    order_no     TEXT    PRIMARY KEY REFERENCES orders,
    status       TEXT    NOT NULL CHECK (status IN ('pending', 'processing', 'done')),
    version      INTEGER NOT NULL DEFAULT 1,
    driven_again INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
