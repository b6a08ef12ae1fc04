//! What waits.

use super::Shared;
use super::form::Search;
use super::overview::shown;
use super::page::{Frame, Problem, Visit, show};
use super::texts::with;
use crate::output::{grouped, moment, short};
use crate::view::Row;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage {
    frame: Frame,
    search: Search,
    rows: Vec<EventRow>,
    looked: String,
    next: Option<String>,
}

/// A row of the list, as texts.
pub(super) struct EventRow {
    pub(super) id: String,
    pub(super) event: String,
    pub(super) target: String,
    pub(super) topic: String,
    pub(super) key: String,
    pub(super) published: String,
    pub(super) state: &'static str,
    pub(super) state_word: &'static str,
    pub(super) at: String,
    pub(super) reason: String,
    pub(super) failed: u32,
    pub(super) blocks: bool,
    pub(super) error: String,
}

impl EventRow {
    pub(super) fn of(row: &Row, visit: &Visit) -> Self {
        Self {
            id: row.id.clone(),
            // The story is found by any of its deliveries too.
            event: row.event.clone().unwrap_or_else(|| row.id.clone()),
            target: row.target.clone(),
            topic: row.topic.clone().unwrap_or_else(|| "?".to_owned()),
            key: row.key.clone().unwrap_or_default(),
            published: row.published_at.map_or_else(|| "?".to_owned(), moment),
            state: row.state,
            state_word: visit.texts.state(row.state),
            at: row.at.map_or_else(String::new, moment),
            reason: row.reason.clone().unwrap_or_default(),
            failed: row.attempts,
            blocks: row.blocks_key,
            error: short(row.unreadable.as_deref().unwrap_or_else(|| row.last_error()), 160),
        }
    }
}

pub(super) async fn list(
    State(dashboard): State<Shared>,
    visit: Visit,
    Path(name): Path<String>,
    Query(search): Query<Search>,
) -> Response {
    let answer = async {
        let database = shown(&dashboard, &name, &visit)?;
        let page = database.console.waiting(&search.filter()?, search.cursor()?).await?;
        Ok(show(&EventsPage {
            frame: Frame::new(visit.clone(), visit.texts.events).within(&dashboard, &name, "events"),
            rows: page.rows.iter().map(|row| EventRow::of(&Row::waiting(row), &visit)).collect(),
            looked: with(visit.texts.looked, grouped(page.looked as u64)),
            next: page.next.map(|next| search.page(&next)),
            search,
        }))
    };
    answer.await.unwrap_or_else(|problem: Problem| problem.shown(&visit))
}
