//! What is in the tables at the end.

use super::Depot;
use crate::Conn;
use std::fmt;

/// The rows of one depot, beside what should be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many parcels were ordered.
    pub events: i64,
    /// The rows of `packed`.
    pub effects: i64,
    /// The rows of `shipped`.
    pub follow_ups: i64,
    /// The rows of both that are there more than once, without the first ones.
    pub twice: i64,
    /// The rows that neither has.
    pub missing: i64,
    /// The receipts.
    pub receipts: i64,
    /// The deliveries that are not settled, and the dead letters of the outbox.
    pub left: i64,
}

impl Tally {
    /// Counts.
    ///
    /// # Errors
    /// The database failed.
    pub async fn of<D: Depot>(conn: &mut Conn<D>, events: i64) -> sqlx::Result<Self> {
        let mut counts = [0; 7];
        let sql = [
            "count(*) FROM packed",
            "count(*) FROM shipped",
            "count(DISTINCT n) FROM packed",
            "count(DISTINCT n) FROM shipped",
            "count(*) FROM inbox",
            "count(*) FROM outbox",
            "count(*) FROM outbox_dead",
        ];
        for (count, sql) in counts.iter_mut().zip(sql) {
            *count = D::numbers(conn, format!("SELECT {sql}")).await?[0];
        }
        let [effects, follow_ups, packed, shipped, receipts, waiting, dead] = counts;
        let (twice, missing) = (effects - packed + follow_ups - shipped, 2 * events - packed - shipped);
        Ok(Self { events, effects, follow_ups, twice, missing, receipts, left: waiting + dead })
    }

    /// Whether everything has happened, be it once or more often.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing == 0 && self.left == 0
    }

    /// What is there if every effect has happened exactly once.
    #[must_use]
    pub fn exactly_once(events: i64) -> Self {
        Self { events, effects: events, follow_ups: events, twice: 0, missing: 0, receipts: events, left: 0 }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, effects, follow_ups, twice, missing, .. } = self;
        write!(f, "events={events} effects={effects} follow_ups={follow_ups} twice={twice} missing={missing}")
    }
}
