//! A transfer and its life: requested, then completed or rejected; or refused at once. Knows only bank1.

use crate::{
    account,
    database::{Database, Value},
    events::TransferRequested,
};
use events_core::publish;
use events_sqlx::Outbox;

/// Money that shall go from an account of bank1 to one of bank2. The number comes from whoever asks for the transfer, so that asking twice
/// is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) transfer_id: i64,
    pub(crate) from_account: i64,
    pub(crate) to_account: i64,
    pub(crate) amount_cents: i64,
}

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The money has left its account, and bank2 has been asked.
    Requested,
    /// bank2 has it.
    Completed,
    /// bank2 could not take it; it is back.
    Rejected,
    /// There was not enough of it; bank2 has never heard of this.
    Refused,
}

impl State {
    pub(crate) const ALL: [Self; 4] = [Self::Requested, Self::Completed, Self::Rejected, Self::Refused];

    /// The word that is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Completed => "completed",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
        }
    }
}

/// Why a transfer could not be asked for. Nothing of it has happened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Outbox(#[from] events_core::Error),
}

/// Takes the money from its account and asks bank2 to take it, both or neither. Without enough money it is refused, and nobody is asked.
pub(crate) async fn request<D: Database>(outbox: &Outbox<D>, transfer: Transfer) -> Result<State, TransferError> {
    let Transfer { transfer_id, from_account, to_account, amount_cents } = transfer;
    let work = outbox.run(async |uow| -> Result<State, TransferError> {
        let enough = account::debit::<D>(uow.conn(), transfer_id, from_account, amount_cents).await?;
        let state = if enough { State::Requested } else { State::Refused };
        insert::<D>(uow.conn(), transfer, state).await?;
        if enough {
            publish(TransferRequested { transfer_id, from_account, to_account, amount_cents })?;
        }
        Ok(state)
    });
    work.await
}

/// Ends a transfer that waits for its answer; returns it, or `None` if it does not wait.
pub(crate) async fn end<D: Database>(conn: &mut D::Connection, transfer_id: i64, state: State) -> sqlx::Result<Option<Transfer>> {
    let values = [Value::Text(state.as_str()), Value::Number(transfer_id), Value::Text(State::Requested.as_str())];
    if D::change(conn, "UPDATE transfers SET state = $1 WHERE transfer_id = $2 AND state = $3", &values).await? == 0 {
        return Ok(None);
    }
    let sql = "SELECT transfer_id, from_account, to_account, amount_cents FROM transfers WHERE transfer_id = $1";
    Ok(D::numbers(conn, sql, &[Value::Number(transfer_id)]).await?.first().and_then(|row| Transfer::of(row)))
}

/// All transfers in a state.
pub(crate) async fn list<D: Database>(conn: &mut D::Connection, state: State) -> sqlx::Result<Vec<Transfer>> {
    let sql = "SELECT transfer_id, from_account, to_account, amount_cents FROM transfers WHERE state = $1";
    let rows = D::numbers(conn, sql, &[Value::Text(state.as_str())]).await?;
    Ok(rows.iter().filter_map(|row| Transfer::of(row)).collect())
}

/// How many transfers wait for their answer.
pub(crate) async fn count_open<D: Database>(conn: &mut D::Connection) -> sqlx::Result<i64> {
    let sql = "SELECT count(*) FROM transfers WHERE state = $1";
    let rows = D::numbers(conn, sql, &[Value::Text(State::Requested.as_str())]).await?;
    Ok(rows.first().and_then(|row| row.first()).copied().unwrap_or_default())
}

async fn insert<D: Database>(conn: &mut D::Connection, transfer: Transfer, state: State) -> sqlx::Result<()> {
    let Transfer { transfer_id, from_account, to_account, amount_cents } = transfer;
    let [transfer_id, from_account, to_account, amount_cents] = [transfer_id, from_account, to_account, amount_cents].map(Value::Number);
    let values = [transfer_id, from_account, to_account, amount_cents, Value::Text(state.as_str())];
    let sql = "INSERT INTO transfers (transfer_id, from_account, to_account, amount_cents, state) VALUES ($1, $2, $3, $4, $5)";
    D::change(conn, sql, &values).await.map(drop)
}

impl Transfer {
    fn of(row: &[i64]) -> Option<Self> {
        let &[transfer_id, from_account, to_account, amount_cents] = row else { return None };
        Some(Self { transfer_id, from_account, to_account, amount_cents })
    }
}
