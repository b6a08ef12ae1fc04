-- The bank where transfers begin. Amounts are whole cents. The same on SQLite, PostgreSQL and MySQL.

CREATE TABLE IF NOT EXISTS accounts (
    account       BIGINT PRIMARY KEY,
    is_open       BIGINT NOT NULL,
    opening_cents BIGINT NOT NULL,
    balance_cents BIGINT NOT NULL
);

-- Every movement of an account. `transfer_id` is deliberately not unique: what is booked twice shall leave a second row for the audit to
-- find, instead of being swept under a constraint.
CREATE TABLE IF NOT EXISTS entries (
    transfer_id  BIGINT NOT NULL,
    account      BIGINT NOT NULL,
    amount_cents BIGINT NOT NULL
);

-- Where each transfer stands, for whoever asks: requested, then completed or rejected; or refused at once.
CREATE TABLE IF NOT EXISTS transfers (
    transfer_id  BIGINT PRIMARY KEY,
    from_account BIGINT NOT NULL,
    to_account   BIGINT NOT NULL,
    amount_cents BIGINT NOT NULL,
    state        VARCHAR(20) NOT NULL
);
