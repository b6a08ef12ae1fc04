-- The warehouse. A parcel and its row of the message table are written in one transaction.

-- `order_no` is deliberately not unique: a second parcel shall leave a second row for the audit to find.
CREATE TABLE IF NOT EXISTS parcels (
    order_no TEXT    NOT NULL,
    quantity INTEGER NOT NULL
) STRICT;

-- Which orders are done here. `repeats` counts how often an order came again, as another event, after that.
CREATE TABLE IF NOT EXISTS messages (
    order_no TEXT    PRIMARY KEY,
    status   TEXT    NOT NULL CHECK (status = 'done'),
    repeats  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
