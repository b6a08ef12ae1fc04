//! One event's whole story.

use super::Shared;
use super::form::bad;
use super::overview::shown;
use super::page::{Frame, Problem, Visit, escaped, show_as};
use super::texts::with;
use crate::output::moment;
use crate::view::{self, Row};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header::LOCATION};
use axum::response::{IntoResponse, Response};
use events_core::EventId;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "story.html")]
struct StoryPage {
    frame: Frame,
    id: String,
    facts: Vec<(&'static str, String)>,
    headers: Vec<(String, String)>,
    payload: Option<String>,
    deliveries: Vec<Told>,
    can_act: bool,
}

/// What became of one delivery.
struct Told {
    id: String,
    target: String,
    state: &'static str,
    state_word: &'static str,
    at: String,
    reason: String,
    blocks: bool,
    lost_leases: Option<String>,
    unreadable: Option<String>,
    steps: Vec<(String, String, String)>,
}

#[derive(Deserialize)]
pub(super) struct Find {
    #[serde(default)]
    id: String,
}

/// Leads to the story of an event or delivery whose id was typed.
pub(super) async fn find(State(dashboard): State<Shared>, visit: Visit, Path(name): Path<String>, Query(find): Query<Find>) -> Response {
    match find.id.trim().parse::<EventId>() {
        Ok(id) => (StatusCode::SEE_OTHER, [(LOCATION, format!("{}/d/{}/events/{id}", dashboard.base, escaped(&name)))]).into_response(),
        Err(_) => bad(format!("`{}`: {}", find.id.trim(), visit.texts.find_event)).shown(&visit),
    }
}

pub(super) async fn one(State(dashboard): State<Shared>, visit: Visit, Path((name, id)): Path<(String, String)>) -> Response {
    let answer = async {
        let database = shown(&dashboard, &name, &visit)?;
        let id: EventId = id.parse().map_err(|_| Problem::new(StatusCode::NOT_FOUND, visit.texts.not_found))?;
        // The id of a delivery is that of its event with a number in the last ten bits.
        let event = EventId(id.deliveries().0.0);
        let story = database.console.story(event).await?;
        let t = visit.texts;
        let mut facts = Vec::new();
        let (mut headers, mut payload) = (Vec::new(), None);
        if let Some(envelope) = story.envelope() {
            facts.push((t.topic, envelope.topic.to_string()));
            facts.push((t.version, envelope.version.to_string()));
            facts.extend(envelope.key.clone().map(|key| (t.key, key)));
            facts.push((t.published, moment(envelope.occurred_at)));
            facts.push((t.published_by, envelope.source.to_string()));
            headers.extend(envelope.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
            payload = serde_json::to_string_pretty(&view::payload(envelope)).ok();
        }
        let deliveries: Vec<Told> = view::rows(&story).iter().map(|row| told(row, &visit)).collect();
        let status = if story.is_empty() { StatusCode::NOT_FOUND } else { StatusCode::OK };
        let page = StoryPage {
            frame: Frame::new(visit.clone(), t.event).within(&dashboard, &name, "events"),
            id: event.to_string(),
            facts,
            headers,
            payload,
            can_act: !visit.read_only && deliveries.iter().any(|told| told.state == "dead"),
            deliveries,
        };
        Ok(show_as(status, &page))
    };
    answer.await.unwrap_or_else(|problem: Problem| problem.shown(&visit))
}

fn told(row: &Row, visit: &Visit) -> Told {
    let t = visit.texts;
    let steps = row.failures.iter().map(|failure| {
        let attempt = if failure.attempt == 0 { t.attempt_open.to_owned() } else { with(t.attempt, failure.attempt) };
        (moment(failure.at), attempt, failure.error.clone())
    });
    Told {
        id: row.id.clone(),
        target: row.target.clone(),
        state: row.state,
        state_word: t.state(row.state),
        at: row.at.map_or_else(String::new, moment),
        reason: row.reason.clone().unwrap_or_default(),
        blocks: row.blocks_key,
        lost_leases: (row.lost_leases > 0).then(|| with(t.lost_leases, row.lost_leases)),
        unreadable: row.unreadable.clone(),
        steps: steps.collect(),
    }
}
