//! What was given up.

use super::Shared;
use super::events::EventRow;
use super::form::Search;
use super::overview::shown;
use super::page::{Frame, Problem, Visit, show};
use super::texts::{Texts, with};
use crate::output::grouped;
use crate::view::Row;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use events_sqlx::Order;

#[derive(Template)]
#[template(path = "dead.html")]
struct DeadPage {
    frame: Frame,
    search: Search,
    rows: Vec<EventRow>,
    looked: String,
    next: Option<String>,
    done: Option<String>,
}

pub(super) async fn list(
    State(dashboard): State<Shared>,
    visit: Visit,
    Path(name): Path<String>,
    Query(search): Query<Search>,
) -> Response {
    let answer = async {
        let database = shown(&dashboard, &name, &visit)?;
        let page = database.console.dead(&search.filter()?, Order::NewestFirst, search.cursor()?).await?;
        Ok(show(&DeadPage {
            frame: Frame::new(visit.clone(), visit.texts.dead_letters).within(&dashboard, &name, "dead"),
            rows: page.rows.iter().map(|letter| EventRow::of(&Row::dead(letter), &visit)).collect(),
            looked: with(visit.texts.looked, grouped(page.looked as u64)),
            next: page.next.map(|next| search.page(&next)),
            done: done(visit.texts, &search),
            search,
        }))
    };
    answer.await.unwrap_or_else(|problem: Problem| problem.shown(&visit))
}

/// What was just done, in our own words: the address may have been written by anybody.
pub(super) fn done(t: &Texts, search: &Search) -> Option<String> {
    let text = match &*search.did {
        "redrive" => t.done_redrive,
        "discard" => t.done_discard,
        "pass" => t.done_pass,
        _ => return None,
    };
    Some(with(text, grouped(search.many.parse().ok()?)))
}
