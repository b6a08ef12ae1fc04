//! The dashboard: pages about outboxes, made on the server, that need no script to be read.

mod access;
mod actions;
mod assets;
mod chart;
mod command;
mod cookies;
mod dead;
mod events;
mod form;
mod overview;
mod page;
mod people;
mod sampler;
mod seal;
mod story;
mod texts;

pub use access::{Access, Actor};
pub(crate) use command::serve;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use events_sqlx::Console;
use sampler::Samples;
use seal::Seal;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The largest form, in bytes: a page of a hundred ids with room to spare.
const MAX_BODY: usize = 64 * 1024;

/// What a dashboard shows, and to whom; see [`router`].
pub struct Dashboard {
    databases: BTreeMap<String, Console>,
    access: Access,
    base: String,
    read_only: bool,
    local_only: bool,
}

/// A database that is shown.
struct Shown {
    console: Console,
    samples: Samples,
}

struct Inner {
    databases: BTreeMap<String, Shown>,
    access: Access,
    base: Arc<str>,
    read_only: bool,
    local_only: bool,
    seal: Seal,
}

type Shared = Arc<Inner>;

impl Dashboard {
    /// A dashboard without databases.
    #[must_use]
    pub fn new(access: Access) -> Self {
        Self { databases: BTreeMap::new(), access, base: String::new(), read_only: false, local_only: false }
    }

    /// Shows the outbox of a database, by a name for people: `outbox.console()`, or [`Console::connect`].
    #[must_use]
    pub fn database(mut self, name: impl Into<String>, console: Console) -> Self {
        self.databases.insert(name.into(), console);
        self
    }

    /// Where the router is nested, such as `/outbox`. Links begin with it. By default it is not nested.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.base = path.into().trim_end_matches('/').to_owned();
        self
    }

    /// Only for looking: nobody can redrive, discard or let pass.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Answers only to browsers that ask for this machine.
    fn local_only(mut self) -> Self {
        self.local_only = true;
        self
    }
}

/// The dashboard's routes, for a service of your own. It looks at the databases every five seconds, as long as the router lives.
///
/// ```no_run
/// # async fn f(outbox: events_sqlx::sqlite::Outbox) {
/// use events_cli::dashboard::{Access, Dashboard, router};
/// let access = Access::Token(std::env::var("OUTBOX_TOKEN").unwrap_or_default());
/// let dashboard = router(Dashboard::new(access).database("shop", outbox.console()).at("/outbox"));
/// let app: axum::Router = axum::Router::new().nest("/outbox", dashboard);
/// # }
/// ```
///
/// # Panics
/// Outside a Tokio runtime.
pub fn router(dashboard: Dashboard) -> Router {
    let Dashboard { databases, access, base, read_only, local_only } = dashboard;
    let seal = match &access {
        Access::Token(token) => Seal::of(token),
        Access::Trusted | Access::Basic { .. } => Seal::fresh(),
    };
    let databases = databases.into_iter().map(|(name, console)| (name, Shown { console, samples: Samples::default() })).collect();
    let inner = Arc::new(Inner { databases, access, base: Arc::from(base), read_only, local_only, seal });
    tokio::spawn(sampler::sample_for_ever(Arc::downgrade(&inner)));
    let guarded = Router::new()
        .route("/", get(overview::databases))
        .route("/d/{database}", get(overview::one))
        .route("/d/{database}/events", get(events::list))
        .route("/d/{database}/events/{event}", get(story::one))
        .route("/d/{database}/find", get(story::find))
        .route("/d/{database}/dead", get(dead::list))
        .route("/d/{database}/keys", get(people::keys))
        .route("/d/{database}/processes", get(people::processes))
        .route("/d/{database}/audit", get(people::audit))
        .route("/d/{database}/confirm", post(actions::confirm))
        .route("/d/{database}/act", post(actions::act))
        .route("/logout", post(access::logout))
        .fallback(actions::nothing)
        .layer(from_fn_with_state(Arc::clone(&inner), access::guard));
    Router::new()
        .route("/login", get(access::login_form).post(access::login))
        .route("/settings", post(actions::settings))
        .merge(guarded)
        .route("/assets/outbox.css", get(assets::css))
        .route("/assets/outbox.js", get(assets::js))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(Arc::clone(&inner), access::headers))
        .with_state(inner)
}
