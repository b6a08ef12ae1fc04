//! Deliveries, dead letters and stories as programs read them: with sensitive fields masked.

use events_core::{Envelope, Failure};
use events_sqlx::{DeadLetter, Delivered, Story, Waiting};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

/// A delivery or dead letter.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<String>,
    pub(crate) id: String,
    pub(crate) event: Option<String>,
    pub(crate) target: String,
    pub(crate) topic: Option<String>,
    pub(crate) version: Option<u16>,
    pub(crate) key: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) published_at: Option<OffsetDateTime>,
    pub(crate) state: &'static str,
    /// Until when it waits; when it died; when it arrived.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) at: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) attempts: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) lost_leases: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) blocks_key: bool,
    pub(crate) failures: Vec<Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unreadable: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<Value>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Row {
    fn of(id: String, target: String, state: &'static str, envelope: Result<&Envelope, &String>) -> Self {
        let readable = envelope.ok();
        Self {
            database: None,
            id,
            event: readable.map(|envelope| envelope.id.to_string()),
            target,
            topic: readable.map(|envelope| envelope.topic.to_string()),
            version: readable.map(|envelope| envelope.version),
            key: readable.and_then(|envelope| envelope.key.clone()),
            published_at: readable.map(|envelope| envelope.occurred_at),
            state,
            at: None,
            reason: None,
            attempts: 0,
            lost_leases: 0,
            blocks_key: false,
            failures: Vec::new(),
            unreadable: envelope.err().cloned(),
            payload: None,
        }
    }

    pub(crate) fn waiting(row: &Waiting) -> Self {
        Self {
            at: row.visible_at,
            attempts: row.failed,
            lost_leases: row.abandoned,
            failures: row.failures.clone(),
            ..Self::of(row.id.to_string(), row.target.clone(), row.state.as_str(), row.envelope.as_ref())
        }
    }

    pub(crate) fn dead(letter: &DeadLetter) -> Self {
        Self {
            at: Some(letter.died_at),
            reason: Some(letter.reason.clone()),
            attempts: letter.attempts,
            blocks_key: letter.blocks_key,
            failures: letter.failures.clone(),
            ..Self::of(letter.id.to_string(), letter.target.clone(), "dead", letter.envelope.as_ref())
        }
    }

    pub(crate) fn delivered(row: &Delivered) -> Self {
        Self { at: Some(row.at), ..Self::of(row.id.to_string(), row.target.clone(), "delivered", row.envelope.as_ref()) }
    }

    pub(crate) fn with_payload(mut self, envelope: Result<&Envelope, &String>) -> Self {
        self.payload = envelope.ok().map(payload);
        self
    }

    pub(crate) fn last_error(&self) -> &str {
        self.failures.last().map_or("", |failure| &failure.error)
    }
}

/// All rows of a story.
pub(crate) fn rows(story: &Story) -> Vec<Row> {
    let waiting = story.waiting.iter().map(Row::waiting);
    let dead = story.dead.iter().map(Row::dead);
    waiting.chain(dead).chain(story.delivered.iter().map(Row::delivered)).collect()
}

/// A payload for people: JSON where it is JSON, sensitive fields masked.
pub(crate) fn payload(envelope: &Envelope) -> Value {
    let shown = envelope.masked();
    serde_json::from_str(&shown).unwrap_or(Value::String(shown))
}
