//! The message table of the shop: one row for each order, moved on by whoever learns something.

use crate::status::Status;
use sqlx::SqliteConnection;

/// Why a row could not be moved on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MessageError {
    #[error("there is no order {0}; if it is about to be committed, try again")]
    Unknown(String),
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

/// Adds the row of an order.
pub(crate) async fn insert(db: &mut SqliteConnection, order_no: &str) -> sqlx::Result<()> {
    let insert = sqlx::query("INSERT INTO messages (order_no, status) VALUES (?, ?)").bind(order_no).bind(Status::Pending.as_str());
    insert.execute(db).await.map(drop)
}

/// Where an order stands, and the version that says so.
pub(crate) async fn read(db: &mut SqliteConnection, order_no: &str) -> Result<(Status, i64), MessageError> {
    let row: Option<(String, i64)> =
        sqlx::query_as("SELECT status, version FROM messages WHERE order_no = ?").bind(order_no).fetch_optional(db).await?;
    let (status, version) = row.ok_or_else(|| MessageError::Unknown(order_no.to_owned()))?;
    Ok((status.parse().map_err(|error: String| sqlx::Error::Decode(error.into()))?, version))
}

/// Moves an order on; `false` if it is there already, or further.
pub(crate) async fn advance(db: &mut SqliteConnection, order_no: &str, wanted: Status) -> Result<bool, MessageError> {
    loop {
        let (status, version) = read(db, order_no).await?;
        if !status.may_become(wanted) {
            return Ok(false);
        }
        let moved = sqlx::query("UPDATE messages SET status = ?, version = version + 1 WHERE order_no = ? AND version = ?")
            .bind(wanted.as_str())
            .bind(order_no)
            .bind(version)
            .execute(&mut *db)
            .await?;
        if moved.rows_affected() == 1 {
            return Ok(true);
        }
        // Somebody was quicker. They have moved it forward, so looking again comes to an end.
    }
}

/// Notes that an order was sent once more.
pub(crate) async fn note_driven_again(db: &mut SqliteConnection, order_no: &str) -> sqlx::Result<()> {
    let note = sqlx::query("UPDATE messages SET driven_again = driven_again + 1 WHERE order_no = ?").bind(order_no);
    note.execute(db).await.map(drop)
}
