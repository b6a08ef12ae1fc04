//! What all pages share: the frame around them, and the page that says what went wrong.

use super::Shared;
use super::access::{Access, form_cookie, texts};
use super::cookies::cookie;
use super::texts::Texts;
use crate::output;
use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use axum::http::request::Parts;
use axum::http::{Extensions, StatusCode};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Who looks, and how they like it.
#[derive(Clone)]
pub(super) struct Visit {
    pub(super) texts: &'static Texts,
    /// `light` or `dark` if it was chosen; else as the machine has it.
    pub(super) theme: Option<&'static str>,
    /// Where the dashboard is mounted, without a slash at its end.
    pub(super) base: Arc<str>,
    /// The cookie to which forms are bound, and whether the browser does not have it yet.
    pub(super) form_cookie: String,
    pub(super) is_new: bool,
    /// The token of this visit's forms.
    pub(super) csrf: String,
    pub(super) is_https: bool,
    /// Whether there is somebody to log out.
    pub(super) can_log_out: bool,
    pub(super) read_only: bool,
}

impl Visit {
    pub(super) fn of(headers: &HeaderMap, dashboard: &Shared) -> Self {
        let (form_cookie, is_new) = form_cookie(headers);
        let theme = match cookie(headers, "outbox_theme") {
            Some("dark") => Some("dark"),
            Some("light") => Some("light"),
            _ => None,
        };
        Self {
            texts: texts(headers),
            theme,
            base: Arc::clone(&dashboard.base),
            csrf: dashboard.seal.form_token(&form_cookie),
            form_cookie,
            is_new,
            is_https: headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https"),
            can_log_out: matches!(dashboard.access, Access::Token(_)),
            read_only: dashboard.read_only,
        }
    }

    /// The address of the first page.
    pub(super) fn home(&self) -> &str {
        if self.base.is_empty() { "/" } else { &self.base }
    }

    /// The visit that the outermost layer has begun.
    pub(super) fn within(extensions: &Extensions, headers: &HeaderMap, dashboard: &Shared) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_else(|| Self::of(headers, dashboard))
    }
}

impl FromRequestParts<Shared> for Visit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Shared) -> Result<Self, Self::Rejection> {
        Ok(Self::within(&parts.extensions, &parts.headers, dashboard))
    }
}

/// The frame of a page: its title, its database and which entry of the menu it is.
pub(super) struct Frame {
    pub(super) visit: Visit,
    pub(super) t: &'static Texts,
    pub(super) title: String,
    /// The database and its part of the address, if the page is about one.
    pub(super) database: Option<(String, String)>,
    pub(super) several: bool,
    pub(super) here: &'static str,
}

impl Frame {
    pub(super) fn new(visit: Visit, title: impl Into<String>) -> Self {
        Self { t: visit.texts, visit, title: title.into(), database: None, several: false, here: "" }
    }

    pub(super) fn within(self, dashboard: &Shared, database: &str, here: &'static str) -> Self {
        let path = format!("{}/d/{}", self.visit.base, escaped(database));
        Self { database: Some((database.to_owned(), path)), several: dashboard.databases.len() > 1, here, ..self }
    }

    /// The database's part of the address.
    pub(super) fn path(&self) -> &str {
        self.database.as_ref().map_or("", |(_, path)| path)
    }
}

/// A text as a part of an address.
pub(super) fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A page that went well.
pub(super) fn show(page: &impl Template) -> Response {
    show_as(StatusCode::OK, page)
}

pub(super) fn show_as(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be written").into_response()
        }
    }
}

/// What went wrong.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    said: String,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    said: String,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    problem: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, said: impl Into<String>) -> Self {
        Self { status, said: said.into() }
    }

    pub(super) fn shown(self, visit: &Visit) -> Response {
        let title = match self.status {
            StatusCode::NOT_FOUND => visit.texts.not_found,
            StatusCode::FORBIDDEN => visit.texts.refused,
            status if status.is_client_error() => visit.texts.bad_request,
            _ => visit.texts.failed_title,
        };
        show_as(self.status, &ProblemPage { frame: Frame::new(visit.clone(), title), said: self.said })
    }
}

/// The database failed: the person who looks is who should know why.
impl From<events_core::Error> for Problem {
    fn from(error: events_core::Error) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, output::sentence(&anyhow::Error::from(error)))
    }
}

pub(super) fn login(visit: &Visit, problem: Option<&'static str>) -> Response {
    let status = if problem.is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    show_as(status, &LoginPage { frame: Frame::new(visit.clone(), visit.texts.log_in), problem })
}
