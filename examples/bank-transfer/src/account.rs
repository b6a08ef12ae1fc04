//! Accounts and their movements. Every balance changes by one conditional statement, with an entry in the same transaction.

use crate::database::{Database, Value};
use sqlx::Pool;

/// Why an account takes no money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    Unknown,
    Closed,
}

impl Unusable {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "there is no such account",
            Self::Closed => "the account is closed",
        }
    }
}

/// What a bank opens with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    /// The number of its first account; the others follow.
    pub(crate) first: i64,
    pub(crate) accounts: i64,
    pub(crate) cents: i64,
    /// Every so many accounts one is closed; none with 0.
    pub(crate) closed_every: i64,
}

impl Opening {
    pub(crate) fn is_closed(&self, account: i64) -> bool {
        self.closed_every > 0 && (account - self.first) % self.closed_every == self.closed_every - 1
    }
}

/// Opens the accounts that are not there yet, all of them or none.
pub(crate) async fn open<D: Database>(pool: &Pool<D>, opening: &Opening) -> sqlx::Result<()> {
    let mut tx = pool.begin().await?;
    let known = D::numbers(&mut tx, "SELECT account FROM accounts", &[]).await?;
    let missing = (opening.first..opening.first + opening.accounts).filter(|account| !known.contains(&vec![*account]));
    for account in missing {
        let is_open = i64::from(!opening.is_closed(account));
        let values = [account, is_open, opening.cents, opening.cents].map(Value::Number);
        D::change(&mut tx, "INSERT INTO accounts (account, is_open, opening_cents, balance_cents) VALUES ($1, $2, $3, $4)", &values)
            .await?;
    }
    tx.commit().await
}

/// Takes money from an account; `false` if there is not enough of it.
pub(crate) async fn debit<D: Database>(conn: &mut D::Connection, transfer_id: i64, account: i64, cents: i64) -> sqlx::Result<bool> {
    let values = [cents, account, cents].map(Value::Number);
    let sql = "UPDATE accounts SET balance_cents = balance_cents - $1 WHERE account = $2 AND balance_cents >= $3";
    if D::change(conn, sql, &values).await? == 0 {
        return Ok(false);
    }
    enter::<D>(conn, transfer_id, account, -cents).await?;
    Ok(true)
}

/// Puts money into an account, if that can be used.
pub(crate) async fn credit<D: Database>(
    conn: &mut D::Connection,
    transfer_id: i64,
    account: i64,
    cents: i64,
) -> sqlx::Result<Result<(), Unusable>> {
    let values = [cents, account].map(Value::Number);
    let sql = "UPDATE accounts SET balance_cents = balance_cents + $1 WHERE account = $2 AND is_open = 1";
    if D::change(conn, sql, &values).await? == 0 {
        let known = D::numbers(conn, "SELECT account FROM accounts WHERE account = $1", &[Value::Number(account)]).await?;
        return Ok(Err(if known.is_empty() { Unusable::Unknown } else { Unusable::Closed }));
    }
    enter::<D>(conn, transfer_id, account, cents).await?;
    Ok(Ok(()))
}

async fn enter<D: Database>(conn: &mut D::Connection, transfer_id: i64, account: i64, cents: i64) -> sqlx::Result<()> {
    let values = [transfer_id, account, cents].map(Value::Number);
    D::change(conn, "INSERT INTO entries (transfer_id, account, amount_cents) VALUES ($1, $2, $3)", &values).await.map(drop)
}
