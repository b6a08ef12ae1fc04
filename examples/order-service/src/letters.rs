//! The mail that users get: when somebody registers, and after three wrong passwords. "When .. then .." is an event and a handler.

use crate::{
    clock,
    events::{UserLocked, UserRegistered},
    receipts::Mailbox,
};
use events_core::{Metadata, State, after_commit};
use serde::Serialize;
use sqlx::SqlitePool;

/// A letter, as a catcher of mail shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Letter {
    mail: String,
    text: String,
}

/// The letters to a user so far, oldest first.
pub(crate) async fn to_user(pool: &SqlitePool, name: &str) -> Result<Vec<Letter>, sqlx::Error> {
    let letters: Vec<(String, String)> =
        sqlx::query_as("SELECT mail, text FROM letters WHERE name = ? ORDER BY sent_at, event_id").bind(name).fetch_all(pool).await?;
    Ok(letters.into_iter().map(|(mail, text)| Letter { mail, text }).collect())
}

/// The same code twice does no harm.
#[after_commit(idempotent)]
async fn send_code(event: UserRegistered, meta: Metadata, State(mailbox): State<Mailbox>) -> Result<(), sqlx::Error> {
    let (mail, code): (String, String) =
        sqlx::query_as("SELECT mail, code FROM users WHERE name = ?").bind(&event.name).fetch_one(&mailbox.pool).await?;
    send(&mailbox, &meta, &event.name, &mail, format!("welcome, {}; your code is {code}", event.name)).await
}

/// A second letter would look like a second attack. If nobody knows whether the first one was sent, somebody has to look.
#[after_commit(at_most_once)]
async fn tell_who_is_locked_out(event: UserLocked, meta: Metadata, State(mailbox): State<Mailbox>) -> Result<(), sqlx::Error> {
    let mail: String = sqlx::query_scalar("SELECT mail FROM users WHERE name = ?").bind(&event.name).fetch_one(&mailbox.pool).await?;
    let text = format!("{}, your password was wrong three times; nobody is let in by it until you ask us", event.name);
    send(&mailbox, &meta, &event.name, &mail, text).await
}

async fn send(mailbox: &Mailbox, meta: &Metadata, name: &str, mail: &str, text: String) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO letters (name, mail, text, event_id, sent_at) VALUES (?, ?, ?, ?, ?)")
        .bind(name)
        .bind(mail)
        .bind(text)
        .bind(meta.id.to_string())
        .bind(clock::now())
        .execute(&mailbox.pool)
        .await?;
    Ok(())
}
