//! What people do to dead letters. Each deed is a row of the audit, in the same transaction.

use crate::backend::{Backend, TermsOf, run};
use crate::inspect;
use crate::values::Values;
use events_core::DeliveryId;
use serde_json::json;
use uuid::Uuid;

/// So many dead letters are dealt with in one transaction.
pub(crate) const BATCH: u32 = 1_000;
/// How often a deed that collided with another transaction is repeated at once.
pub(crate) const REPEATS: usize = 5;
/// So many ids of a deed are named in the audit; the number of all is named too.
const NAMED: usize = 20;
/// How long the name of an actor may be, in characters.
const MAX_ACTOR: usize = 200;

/// What is to be done to dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Request {
    /// Back into the outbox with them, with fresh attempts.
    Redrive,
    /// Away with them for good; what they blocked goes on.
    Discard,
    /// What they block goes on without them; they stay. The order of their keys is given up, by somebody's decision.
    Pass,
}

impl Request {
    /// The word for it: `redrive`, `discard` or `pass`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redrive => "redrive",
            Self::Discard => "discard",
            Self::Pass => "pass",
        }
    }

    pub(crate) fn doing(self) -> &'static str {
        match self {
            Self::Redrive => "redriving dead letters",
            Self::Discard => "discarding dead letters",
            Self::Pass => "letting deliveries pass dead letters",
        }
    }
}

/// Does it, and writes down who did it; returns to how many letters.
pub(crate) async fn act<DB: Backend>(
    conn: &mut DB::Connection,
    request: Request,
    letters: &[DeliveryId],
    actor: &str,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<u64> {
    let done = match request {
        Request::Redrive => inspect::redrive::<DB>(conn, letters, terms).await?,
        Request::Discard => inspect::discard::<DB>(conn, letters, terms).await?.0,
        Request::Pass => inspect::pass::<DB>(conn, letters, terms).await?.0,
    };
    if done > 0 {
        let named: Vec<String> = letters.iter().take(NAMED).map(ToString::to_string).collect();
        let detail = json!({ "letters": done, "ids": named }).to_string();
        let actor: String = actor.chars().filter(|c| !c.is_control()).take(MAX_ACTOR).collect();
        let values =
            Values::default().id("id", Uuid::now_v7()).text("actor", &*actor).text("action", request.as_str()).text("detail", &*detail);
        run::<DB>(conn, &terms.sql.audit_insert, &values, terms.now).await?;
    }
    Ok(done)
}
