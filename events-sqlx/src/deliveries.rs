//! Deliveries that wait in the outbox, for people to look at.

use events_core::{DeliveryId, Envelope, EventId, Failure};
use time::OffsetDateTime;

/// Which deliveries or dead letters to take. An empty filter takes everything, up to its limit.
///
/// ```
/// use events_sqlx::Filter;
/// let stuck = Filter::all().target("issue_ticket").key("7").limit(10);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Filter {
    pub(crate) ids: Option<(DeliveryId, DeliveryId)>,
    pub(crate) target: Option<String>,
    pub(crate) topic: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) state: Option<WaitingState>,
    pub(crate) reason: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) since: Option<OffsetDateTime>,
    pub(crate) until: Option<OffsetDateTime>,
    pub(crate) limit: u32,
}

impl Filter {
    /// Everything, at most 1,000 at a time.
    pub fn all() -> Self {
        Self {
            ids: None,
            target: None,
            topic: None,
            key: None,
            state: None,
            reason: None,
            error: None,
            since: None,
            until: None,
            limit: 1_000,
        }
    }

    /// One delivery.
    pub fn id(id: DeliveryId) -> Self {
        Self { ids: Some((id, id)), ..Self::all() }
    }

    /// All deliveries of an event.
    pub fn event(event: EventId) -> Self {
        Self { ids: Some(event.deliveries()), ..Self::all() }
    }

    /// Only those of one target: a handler's name, or `transport:` and a transport's name.
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Only those of one topic.
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Only those of one key.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Only deliveries that wait for this. Dead letters do not wait, and are not asked.
    pub fn state(mut self, state: WaitingState) -> Self {
        self.state = Some(state);
        self
    }

    /// Only dead letters that died for this reason, such as `exhausted`. What still waits has none, and is not asked.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Only those whose last error contains this text. Upper and lower case are not the same.
    pub fn error(mut self, text: impl Into<String>) -> Self {
        self.error = Some(text.into());
        self
    }

    /// Only dead letters that died at this time or later, by the database's clock; only deliveries whose event was published then or later,
    /// by the publisher's.
    pub fn since(mut self, since: OffsetDateTime) -> Self {
        self.since = Some(since);
        self
    }

    /// As [`since`](Self::since), but at this time or earlier.
    pub fn until(mut self, until: OffsetDateTime) -> Self {
        self.until = Some(until);
        self
    }

    /// At most so many at a time.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }
}

/// A delivery that is not settled yet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Waiting {
    /// The delivery.
    pub id: DeliveryId,
    /// Where it goes.
    pub target: String,
    /// The event; `Err` says why the row cannot be read.
    pub envelope: Result<Envelope, String>,
    /// What it waits for.
    pub state: WaitingState,
    /// When that is over, by the database's clock; `None` while it waits for its key.
    pub visible_at: Option<OffsetDateTime>,
    /// How many attempts have failed so far.
    pub failed: u32,
    /// How many leases ran out unsettled since the last attempt that was settled.
    pub abandoned: u32,
    /// What went wrong so far.
    pub failures: Vec<Failure>,
}

/// What a delivery waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitingState {
    /// For a scanner to lease it.
    Due,
    /// For the process that has it.
    Leased,
    /// For its delay or its next attempt.
    Later,
    /// For an earlier delivery of its key.
    Key,
}

impl WaitingState {
    /// The word for it: `due`, `leased`, `later` or `key`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Leased => "leased",
            Self::Later => "later",
            Self::Key => "key",
        }
    }

    /// The state that a statement names.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "due" => Self::Due,
            "leased" => Self::Leased,
            "key" => Self::Key,
            _ => Self::Later,
        }
    }
}
