//! Who may look, and who may act.

use super::Shared;
use super::cookies::cookie;
use super::page::{Problem, Visit};
use super::seal::{nonce, same};
use super::texts::Texts;
use axum::extract::{Form, FromRequest, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, LOCATION, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::{net::IpAddr, time::Duration};
use time::OffsetDateTime;

pub(super) const LOGIN_COOKIE: &str = "outbox_login";
pub(super) const FORM_COOKIE: &str = "outbox_form";
/// How long whoever sends a wrong token or password waits for the answer.
const WRONG: Duration = Duration::from_millis(500);
/// A shorter token can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// Who may look at a dashboard and act.
#[derive(Clone)]
pub enum Access {
    /// Everybody who reaches it: the service around it has asked already who they are. Put an [`Actor`] into the request's extensions, and the
    /// audit says who it was.
    Trusted,
    /// Who knows this token: as `Authorization: Bearer`, or typed into a form. At least 16 characters.
    Token(String),
    /// Who knows this user and password: basic authentication.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
}

/// Who does it, for the audit of a dashboard that is nested into a service with [`Access::Trusted`].
#[derive(Clone, Debug)]
pub struct Actor(pub String);

impl Access {
    /// What is wrong with it, if something is.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Token(token) if token.len() < SHORTEST_TOKEN => {
                Err("a token needs at least 16 characters; make one with `openssl rand -hex 16`")
            }
            Self::Basic { user, password } if user.is_empty() || password.len() < 8 => {
                Err("basic authentication needs a user and a password of at least 8 characters")
            }
            _ => Ok(()),
        }
    }

    /// Whether a program that says who it is in a header may look.
    pub(crate) fn allows(&self, headers: &HeaderMap) -> bool {
        self.who(headers, |_| false).is_some()
    }

    /// Who it is; `None` if they must say it first. `is_login` knows the cookies of those who have typed the token.
    fn who(&self, headers: &HeaderMap, is_login: impl Fn(&str) -> bool) -> Option<String> {
        let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let after = |scheme: &str| {
            let (given, rest) = authorization?.split_once(' ')?;
            given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
        };
        match self {
            Self::Trusted => Some("dashboard".to_owned()),
            Self::Token(token) => {
                let by_header = after("Bearer").is_some_and(|given| same(given, token));
                let by_cookie = || cookie(headers, LOGIN_COOKIE).is_some_and(is_login);
                (by_header || by_cookie()).then(|| "dashboard (token)".to_owned())
            }
            Self::Basic { user, password } => {
                let given = BASE64_STANDARD.decode(after("Basic")?).ok()?;
                let right = same(std::str::from_utf8(&given).ok()?, &format!("{user}:{password}"));
                right.then(|| format!("{user} (dashboard)"))
            }
        }
    }
}

/// Lets through who may look; asks the others who they are.
pub(super) async fn guard(State(dashboard): State<Shared>, mut request: Request, next: Next) -> Response {
    if dashboard.local_only && !is_local(request.headers()) {
        let said = "this dashboard answers only to names of this machine, such as 127.0.0.1 or localhost";
        return (StatusCode::MISDIRECTED_REQUEST, said).into_response();
    }
    let Some(who) = dashboard.access.who(request.headers(), |value| dashboard.seal.is_login(value, OffsetDateTime::now_utc())) else {
        let wrong = request.headers().contains_key(AUTHORIZATION);
        if wrong {
            tokio::time::sleep(WRONG).await;
        }
        return match dashboard.access {
            Access::Basic { .. } => {
                (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Basic realm=\"outbox\", charset=\"UTF-8\"")], "who are you?")
                    .into_response()
            }
            // A program gets an answer, a person the form.
            _ if wrong || request.method() != Method::GET => {
                (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], "who are you?").into_response()
            }
            _ => (StatusCode::SEE_OTHER, [(LOCATION, format!("{}/login", dashboard.base))]).into_response(),
        };
    };
    if request.extensions().get::<Actor>().is_none() {
        request.extensions_mut().insert(Actor(who));
    }
    next.run(request).await
}

/// Whether the browser was asked for this machine: a page of another site cannot make it so, whatever name it gave its own address.
fn is_local(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The fields of a form that came from a page of this server, shown to this browser.
pub(super) struct Verified(pub(super) Vec<(String, String)>);

impl Verified {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| &**value).filter(|value| !value.is_empty())
    }
}

impl FromRequest<Shared> for Verified {
    type Rejection = Response;

    async fn from_request(request: Request, dashboard: &Shared) -> Result<Self, Response> {
        let visit = Visit::within(request.extensions(), request.headers(), dashboard);
        // What browsers say of themselves; older ones and programs say nothing.
        let site = request.headers().get("sec-fetch-site").and_then(|site| site.to_str().ok()).unwrap_or("same-origin").to_owned();
        let shown = cookie(request.headers(), FORM_COOKIE).unwrap_or_default().to_owned();
        let by_header = matches!(dashboard.access, Access::Token(_)) && request.headers().contains_key(AUTHORIZATION);
        let form = match Form::<Vec<(String, String)>>::from_request(request, &()).await {
            Ok(Form(form)) => Self(form),
            Err(rejection) => return Err(Problem::new(rejection.status(), rejection.body_text()).shown(&visit)),
        };
        let token = form.field("csrf").unwrap_or_default();
        // Who sends the token in a header is no browser that somebody else steers.
        if !by_header && (!matches!(&*site, "same-origin" | "none") || !dashboard.seal.is_form_token(&shown, token)) {
            return Err(Problem::new(StatusCode::FORBIDDEN, visit.texts.bad_csrf).shown(&visit));
        }
        Ok(form)
    }
}

/// The form in which a person types the token.
pub(super) async fn login_form(State(dashboard): State<Shared>, visit: Visit) -> Response {
    if !matches!(dashboard.access, Access::Token(_)) {
        return (StatusCode::SEE_OTHER, [(LOCATION, visit.home().to_owned())]).into_response();
    }
    super::page::login(&visit, None)
}

/// The token that a person typed.
pub(super) async fn login(State(dashboard): State<Shared>, visit: Visit, form: Verified) -> Response {
    let Access::Token(token) = &dashboard.access else {
        return Problem::new(StatusCode::NOT_FOUND, visit.texts.not_found).shown(&visit);
    };
    if !form.field("token").is_some_and(|given| same(given.trim(), token)) {
        tokio::time::sleep(WRONG).await;
        return super::page::login(&visit, Some(visit.texts.wrong_token));
    }
    let value = dashboard.seal.login(OffsetDateTime::now_utc());
    let cookie = super::cookies::set(&visit, LOGIN_COOKIE, &value, super::seal::LOGIN);
    (StatusCode::SEE_OTHER, [(LOCATION, visit.home().to_owned()), (SET_COOKIE, cookie)]).into_response()
}

/// Forgets who it was.
pub(super) async fn logout(State(dashboard): State<Shared>, visit: Visit, _form: Verified) -> Response {
    let cookie = super::cookies::set(&visit, LOGIN_COOKIE, "", 0);
    (StatusCode::SEE_OTHER, [(LOCATION, format!("{}/login", dashboard.base)), (SET_COOKIE, cookie)]).into_response()
}

/// What every answer says to the browser: no script, frame, style or picture from elsewhere; nothing is kept.
pub(super) async fn headers(State(dashboard): State<Shared>, mut request: Request, next: Next) -> Response {
    let visit = Visit::of(request.headers(), &dashboard);
    // The cookie that is set and the forms that are shown must be of one visit.
    request.extensions_mut().insert(visit.clone());
    let is_asset = request.uri().path().contains("/assets/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; \
                  base-uri 'none'; frame-ancestors 'none'";
    for (name, value) in [
        ("content-security-policy", policy),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !is_asset {
        headers.insert("cache-control", HeaderValue::from_static("no-store"));
        headers.insert("vary", HeaderValue::from_static("cookie, accept-language"));
    }
    if visit.is_new
        && !is_asset
        && let Ok(cookie) = HeaderValue::from_str(&super::cookies::set(&visit, FORM_COOKIE, &visit.form_cookie, 30 * 86_400))
        && !headers.contains_key(SET_COOKIE)
    {
        headers.insert(SET_COOKIE, cookie);
    }
    response
}

/// A value for the cookie of forms.
pub(super) fn form_cookie(headers: &HeaderMap) -> (String, bool) {
    match cookie(headers, FORM_COOKIE).filter(|value| value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        Some(value) => (value.to_owned(), false),
        None => (nonce(), true),
    }
}

/// The language that a request asks for.
pub(super) fn texts(headers: &HeaderMap) -> &'static Texts {
    let accepted = headers.get("accept-language").and_then(|value| value.to_str().ok());
    Texts::of(cookie(headers, "outbox_language"), accepted)
}
