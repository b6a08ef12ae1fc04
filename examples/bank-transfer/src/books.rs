//! Reads what both banks have written down.

use crate::{
    bank::Bank,
    database::Database,
    transfer::{self, State, Transfer},
};

/// The books of both banks.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) transfers: Vec<(Transfer, State)>,
    pub(crate) bank1: Ledger,
    pub(crate) bank2: Ledger,
    /// Deliveries that still wait, and dead letters; of both.
    pub(crate) waiting: u64,
    pub(crate) dead: u64,
}

/// The accounts of a bank, and all that was booked.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) accounts: Vec<Account>,
    pub(crate) entries: Vec<Entry>,
}

#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) account: i64,
    pub(crate) opening_cents: i64,
    pub(crate) balance_cents: i64,
}

/// A movement of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) transfer_id: i64,
    pub(crate) account: i64,
    pub(crate) amount_cents: i64,
}

impl Books {
    pub(crate) async fn read<D: Database>(bank1: &Bank<D>, bank2: &Bank<D>) -> anyhow::Result<Self> {
        let mut transfers = Vec::new();
        let mut conn = bank1.pool.acquire().await?;
        for state in State::ALL {
            transfers.extend(transfer::list::<D>(&mut conn, state).await?.into_iter().map(|transfer| (transfer, state)));
        }
        drop(conn);
        Ok(Self {
            transfers,
            bank1: Ledger::read(bank1).await?,
            bank2: Ledger::read(bank2).await?,
            waiting: bank1.outbox.waiting().await? + bank2.outbox.waiting().await?,
            dead: bank1.outbox.dead_count().await? + bank2.outbox.dead_count().await?,
        })
    }
}

impl Ledger {
    async fn read<D: Database>(bank: &Bank<D>) -> sqlx::Result<Self> {
        let mut conn = bank.pool.acquire().await?;
        let accounts = D::numbers(&mut conn, "SELECT account, opening_cents, balance_cents FROM accounts", &[]).await?;
        let entries = D::numbers(&mut conn, "SELECT transfer_id, account, amount_cents FROM entries", &[]).await?;
        let account = |row: &Vec<i64>| match row[..] {
            [account, opening_cents, balance_cents] => Some(Account { account, opening_cents, balance_cents }),
            _ => None,
        };
        let entry = |row: &Vec<i64>| match row[..] {
            [transfer_id, account, amount_cents] => Some(Entry { transfer_id, account, amount_cents }),
            _ => None,
        };
        Ok(Self { accounts: accounts.iter().filter_map(account).collect(), entries: entries.iter().filter_map(entry).collect() })
    }

    /// All its money in the beginning, and now.
    pub(crate) fn totals(&self) -> (i64, i64) {
        self.accounts.iter().fold((0, 0), |(before, after), account| (before + account.opening_cents, after + account.balance_cents))
    }
}
