//! What people do: redrive, discard, let pass; each after a page that says what it will do.

use super::access::{Actor, Verified};
use super::form::{Search, bad, ids};
use super::overview::shown;
use super::page::{Frame, Problem, Visit, escaped, show};
use super::texts::with;
use super::{Shared, cookies};
use crate::output::grouped;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::{HeaderMap, LOCATION, REFERER, SET_COOKIE};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use events_core::DeliveryId;
use events_sqlx::{Console, Request};

/// How long a choice of language or colour is remembered: a year.
const CHOICE: i64 = 365 * 86_400;

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    frame: Frame,
    text: String,
    button: &'static str,
    bad: bool,
    fields: Vec<(String, String)>,
    back: String,
}

/// What is to be done, and to which letters.
struct Wish {
    request: Request,
    which: Which,
    /// The page from which it came.
    back: &'static str,
    search: Search,
}

enum Which {
    These(Vec<DeliveryId>),
    AllThatMatch,
    /// Those that block a key on its way to a target.
    Of {
        key: String,
        target: String,
    },
}

impl Wish {
    fn of(form: &Verified, visit: &Visit) -> Result<Self, Problem> {
        let request = match form.field("request") {
            Some("redrive") => Request::Redrive,
            Some("discard") => Request::Discard,
            Some("pass") => Request::Pass,
            _ => return Err(bad(visit.texts.bad_request)),
        };
        let search = Search::of(&form.0);
        let which = match form.field("which") {
            Some("these") => Which::These(ids(&form.0)?),
            // Passing is a decision about one key, never about everything that matches.
            Some("all") if request != Request::Pass => Which::AllThatMatch,
            Some("key") => Which::Of { key: search.key.clone(), target: search.target.clone() },
            _ => return Err(bad(visit.texts.bad_request)),
        };
        let back = if matches!(which, Which::Of { .. }) { "keys" } else { "dead" };
        Ok(Self { request, which, back, search })
    }

    /// How many letters it is about.
    async fn many(&self, console: &Console) -> Result<u64, Problem> {
        match &self.which {
            Which::These(ids) => Ok(ids.len() as u64),
            Which::AllThatMatch => Ok(console.count_dead(&self.search.filter()?).await?),
            Which::Of { key, target } => Ok(console.blocking(key, Some(target)).await?.len() as u64),
        }
    }

    async fn done(&self, console: &Console, actor: &str) -> Result<u64, Problem> {
        match &self.which {
            Which::These(ids) => Ok(console.act(self.request, ids, actor).await?),
            Which::AllThatMatch => Ok(console.act_on_all(self.request, &self.search.filter()?, actor, &mut |_| ()).await?),
            Which::Of { key, target } => {
                let letters = console.blocking(key, Some(target)).await?;
                Ok(console.act(self.request, &letters, actor).await?)
            }
        }
    }
}

/// Nobody acts on a dashboard that is only for looking.
fn refuse_if_read_only(visit: &Visit) -> Result<(), Problem> {
    if visit.read_only { Err(Problem::new(StatusCode::FORBIDDEN, visit.texts.read_only)) } else { Ok(()) }
}

/// Says what would be done.
pub(super) async fn confirm(State(dashboard): State<Shared>, visit: Visit, Path(name): Path<String>, form: Verified) -> Response {
    let answer = async {
        refuse_if_read_only(&visit)?;
        let database = shown(&dashboard, &name, &visit)?;
        let wish = Wish::of(&form, &visit)?;
        let many = wish.many(&database.console).await?;
        if many == 0 {
            return Err(bad(visit.texts.none_selected));
        }
        let t = visit.texts;
        let (text, button) = match wish.request {
            Request::Discard => (t.confirm_discard, t.discard),
            Request::Pass => (t.confirm_pass, t.pass),
            _ => (t.confirm_redrive, t.redrive),
        };
        let frame = Frame::new(visit.clone(), t.confirm).within(&dashboard, &name, wish.back);
        let query = if wish.back == "dead" { format!("?{}", wish.search.query()) } else { String::new() };
        let back = format!("{}/{}{query}", frame.path(), wish.back);
        let fields = form.0.iter().filter(|(name, _)| name != "csrf").cloned().collect();
        Ok(show(&ConfirmPage { frame, text: with(text, grouped(many)), button, bad: wish.request != Request::Redrive, fields, back }))
    };
    answer.await.unwrap_or_else(|problem: Problem| problem.shown(&visit))
}

/// Does it.
pub(super) async fn act(
    State(dashboard): State<Shared>,
    visit: Visit,
    Extension(Actor(actor)): Extension<Actor>,
    Path(name): Path<String>,
    form: Verified,
) -> Response {
    let answer = async {
        refuse_if_read_only(&visit)?;
        let database = shown(&dashboard, &name, &visit)?;
        let wish = Wish::of(&form, &visit)?;
        let done = wish.done(&database.console, &actor).await?;
        database.samples.forget();
        let to = format!("{}/d/{}/{}?did={}&many={done}", dashboard.base, escaped(&name), wish.back, wish.request.as_str());
        Ok((StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response())
    };
    answer.await.unwrap_or_else(|problem: Problem| problem.shown(&visit))
}

/// Remembers a language or a colour, and goes back to where it was chosen.
pub(super) async fn settings(State(dashboard): State<Shared>, visit: Visit, headers: HeaderMap, form: Verified) -> Response {
    let choice = match (form.field("language"), form.field("theme")) {
        (Some(language @ ("en" | "zh-CN")), _) => ("outbox_language", language),
        (_, Some(theme @ ("light" | "dark"))) => ("outbox_theme", theme),
        _ => return bad(visit.texts.bad_request).shown(&visit),
    };
    // Only the path and what follows: it leads nowhere else.
    let here = || {
        let referer: Uri = headers.get(REFERER)?.to_str().ok()?.parse().ok()?;
        Some(referer.path_and_query()?.as_str().to_owned())
    };
    let within = |path: &str| path == visit.home() || path.starts_with(&format!("{}/", dashboard.base));
    let is_ours = |path: &String| within(path) && !path.starts_with("//") && !path.contains('\\');
    let to = here().filter(is_ours).unwrap_or_else(|| visit.home().to_owned());
    (StatusCode::SEE_OTHER, [(LOCATION, to), (SET_COOKIE, cookies::set(&visit, choice.0, choice.1, CHOICE))]).into_response()
}

pub(super) async fn nothing(visit: Visit) -> Response {
    Problem::new(StatusCode::NOT_FOUND, visit.texts.not_found).shown(&visit)
}
