//! What to look for, as the command line and the dashboard's forms say it.

use crate::args;
use events_core::{DeliveryId, EventId};
use events_sqlx::{Filter, WaitingState};
use std::time::Duration;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A moment, or how long ago it was.
pub(crate) fn time_or_age(text: &str) -> Result<OffsetDateTime, String> {
    let text = text.trim();
    if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(time);
    }
    let age: Duration = humantime::parse_duration(text)
        .map_err(|_| format!("`{text}` is no time; say `2026-11-22T08:00:00Z`, or how long ago it was: `2h`"))?;
    OffsetDateTime::now_utc().checked_sub(age.try_into().unwrap_or(time::Duration::MAX)).ok_or_else(|| format!("`{text}` is too long ago"))
}

/// A state by its word.
pub(crate) fn state(word: &str) -> Option<WaitingState> {
    [WaitingState::Due, WaitingState::Leased, WaitingState::Later, WaitingState::Key].into_iter().find(|state| state.as_str() == word)
}

impl From<args::State> for WaitingState {
    fn from(state: args::State) -> Self {
        match state {
            args::State::Due => Self::Due,
            args::State::Leased => Self::Leased,
            args::State::Later => Self::Later,
            args::State::Key => Self::Key,
        }
    }
}

impl args::Filter {
    pub(crate) fn filter(&self) -> Filter {
        let mut filter = match (self.id, self.event) {
            (Some(id), _) => Filter::id(DeliveryId(id)),
            (None, Some(event)) => Filter::event(EventId(event)),
            (None, None) => Filter::all(),
        };
        for (text, add) in [
            (&self.topic, Filter::topic as fn(Filter, String) -> Filter),
            (&self.target, Filter::target),
            (&self.key, Filter::key),
            (&self.error, Filter::error),
        ] {
            if let Some(text) = text {
                filter = add(filter, text.clone());
            }
        }
        if let Some(since) = self.since {
            filter = filter.since(since);
        }
        if let Some(until) = self.until {
            filter = filter.until(until);
        }
        filter
    }
}

impl args::DeadFilter {
    pub(crate) fn filter(&self) -> Filter {
        let filter = self.filter.filter();
        match &self.reason {
            Some(reason) => filter.reason(reason.clone()),
            None => filter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_be_an_age() {
        let now = OffsetDateTime::now_utc();
        let age = now - time_or_age("2h").unwrap();
        assert!((119..=121).contains(&age.whole_minutes()), "{age}");
        assert_eq!(time_or_age("2026-11-22T08:00:00Z").unwrap().unix_timestamp(), 1_795_334_400);
        for bad in ["", "yesterday", "-1h", "99999999999y", "2026-13-01T00:00:00Z"] {
            assert!(time_or_age(bad).is_err(), "{bad}");
        }
    }
}
