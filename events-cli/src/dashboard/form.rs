//! What somebody searches for: read from the address or a form, shown in the form again, and kept in links.

use super::page::{Problem, escaped};
use crate::query::{state, time_or_age};
use axum::http::StatusCode;
use events_core::DeliveryId;
use events_sqlx::{Cursor, Filter};
use serde::Deserialize;

/// How many rows a page has.
const ROWS: u32 = 50;

/// The fields of a search, as they were typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Search {
    pub(super) target: String,
    pub(super) topic: String,
    pub(super) key: String,
    pub(super) state: String,
    pub(super) reason: String,
    pub(super) error: String,
    pub(super) since: String,
    pub(super) until: String,
    pub(super) after: String,
    /// What was just done, and to how many, for a line at the top of the page.
    pub(super) did: String,
    pub(super) many: String,
}

impl Search {
    /// The fields that say which rows are meant, by name.
    pub(super) fn fields(&self) -> [(&'static str, &str); 8] {
        [
            ("target", &self.target),
            ("topic", &self.topic),
            ("key", &self.key),
            ("state", &self.state),
            ("reason", &self.reason),
            ("error", &self.error),
            ("since", &self.since),
            ("until", &self.until),
        ]
    }

    /// As a form has them.
    pub(super) fn of(fields: &[(String, String)]) -> Self {
        let field = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone()).unwrap_or_default();
        Self {
            target: field("target"),
            topic: field("topic"),
            key: field("key"),
            state: field("state"),
            reason: field("reason"),
            error: field("error"),
            since: field("since"),
            until: field("until"),
            ..Self::default()
        }
    }

    /// The address of this search, without its page.
    pub(super) fn query(&self) -> String {
        let fields = self.fields().into_iter().filter(|(_, value)| !value.is_empty());
        fields.map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&")
    }

    /// The address of another page of it.
    pub(super) fn page(&self, after: &Cursor) -> String {
        let query = self.query();
        if query.is_empty() { format!("after={after}") } else { format!("{query}&after={after}") }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fields().iter().all(|(_, value)| value.is_empty())
    }

    pub(super) fn filter(&self) -> Result<Filter, Problem> {
        let mut filter = Filter::all().limit(ROWS);
        let typed = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        if let Some(target) = typed(&self.target) {
            filter = filter.target(target);
        }
        if let Some(topic) = typed(&self.topic) {
            filter = filter.topic(topic);
        }
        if let Some(key) = typed(&self.key) {
            filter = filter.key(key);
        }
        if let Some(reason) = typed(&self.reason) {
            filter = filter.reason(reason);
        }
        if let Some(error) = typed(&self.error) {
            filter = filter.error(error);
        }
        if let Some(word) = typed(&self.state) {
            filter = filter.state(state(&word).ok_or_else(|| bad(format!("`{word}` is no state")))?);
        }
        if let Some(since) = typed(&self.since) {
            filter = filter.since(time_or_age(&since).map_err(bad)?);
        }
        if let Some(until) = typed(&self.until) {
            filter = filter.until(time_or_age(&until).map_err(bad)?);
        }
        Ok(filter)
    }

    pub(super) fn cursor(&self) -> Result<Option<Cursor>, Problem> {
        Some(&*self.after).filter(|after| !after.is_empty()).map(|after| after.parse().map_err(|error: &str| bad(error))).transpose()
    }
}

/// The ids that were ticked.
pub(super) fn ids(fields: &[(String, String)]) -> Result<Vec<DeliveryId>, Problem> {
    let ids = fields.iter().filter(|(name, _)| name == "id");
    ids.map(|(_, id)| id.parse().map(DeliveryId).map_err(|_| bad(format!("`{id}` is no id")))).collect()
}

pub(super) fn bad(said: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_survives_its_own_address() {
        let search = Search { target: "a&b=c".into(), error: "100 %\"'<é".into(), ..Search::default() };
        let query = search.query();
        assert_eq!(query, "target=a%26b%3Dc&error=100%20%25%22%27%3C%C3%A9");
        assert!(search.filter().is_ok() && Search::default().is_empty());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for search in [
            Search { state: "asleep".into(), ..Search::default() },
            Search { since: "yesterday".into(), ..Search::default() },
            Search { until: "' OR 1=1".into(), ..Search::default() },
        ] {
            assert!(search.filter().is_err(), "{search:?}");
        }
        assert!(Search { after: "../../etc/passwd".into(), ..Search::default() }.cursor().is_err());
        assert!(ids(&[("id".into(), "x' OR '1'='1".into())]).is_err());
    }
}
