//! What can go wrong for whoever starts the process.

/// What `install()` finds wrong before the first event. Every problem is found at start-up, all at once.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Several problems.
    #[error("{} problems:{}", .0.len(), list(.0))]
    Several(Vec<BuildError>),
    /// A handler asks for state that nobody gave.
    #[error("handler `{handler}` needs `State<{ty}>`, which was not given; call `.state(..)` on the outbox builder")]
    MissingState {
        /// Name of the handler.
        handler: &'static str,
        /// The type of the state.
        ty: &'static str,
    },
    /// Two types claim one topic and version.
    #[error("topic `{topic}` version {version} is claimed by both `{first}` and `{second}`; give one of them another topic or `version`")]
    DuplicateEvent {
        /// The topic.
        topic: &'static str,
        /// The version.
        version: u16,
        /// One type.
        first: &'static str,
        /// The other type.
        second: &'static str,
    },
    /// Two handlers have one name, so their waiting deliveries could not be told apart.
    #[error("two handlers are named `{name}`; give one of them `name = \"..\"`")]
    DuplicateHandler {
        /// The name.
        name: &'static str,
    },
    /// Two transports have one name.
    #[error("two transports are named `{name}`; give one of them another name")]
    DuplicateTransport {
        /// The name.
        name: String,
    },
    /// A handler listens to an event type that is not declared.
    #[error(
        "handler `{handler}` takes `{event}` (topic `{topic}`), which nobody declares; annotate the type with `#[domain_event]`, \
         or call `.event::<{event}>()` on the outbox builder"
    )]
    UndeclaredEvent {
        /// Name of the handler.
        handler: &'static str,
        /// The event type.
        event: &'static str,
        /// Its topic.
        topic: &'static str,
    },
    /// Events of an old version would find nobody who reads them.
    #[error(
        "handler `{handler}` takes `{event}` (topic `{topic}`) from version {oldest} on, and nothing reads version {missing}; keep the type of \
         version {missing} and write `upcasts = ..` on `{event}`, or `since = {oldest}` if no event of version {missing} exists any more"
    )]
    MissingVersion {
        /// Name of the handler.
        handler: &'static str,
        /// The event type.
        event: &'static str,
        /// Its topic.
        topic: &'static str,
        /// The oldest version that it reads.
        oldest: u16,
        /// The version that nothing reads.
        missing: u16,
    },
    /// A `#[subscribe]` handler whose group has no subscription.
    #[error(
        "handler `{handler}` hears the group `{group}`, which has no subscription; call `.subscribe(\"{group}\", ..)` on the outbox builder"
    )]
    NoSubscription {
        /// Name of the handler.
        handler: &'static str,
        /// Its group.
        group: &'static str,
    },
    /// A subscription that nobody hears.
    #[error("nobody hears the subscription of group `{group}`; write `#[subscribe(group = \"{group}\")]` on a handler")]
    NoSubscriber {
        /// The group.
        group: String,
    },
    /// An event that nobody would receive.
    #[error(
        "`{event}` (topic `{topic}`) has no target: no handler takes it and {why}; add a handler, or call `.allow_unrouted()` on the outbox builder. \
         (A handler crate that is never named in the source registers nothing: write `use my_handlers as _;`)"
    )]
    Unrouted {
        /// The event type.
        event: &'static str,
        /// Its topic.
        topic: &'static str,
        /// Why no transport takes it.
        why: &'static str,
    },
    /// An event names a transport that is not there.
    #[error("`{event}` is sent `to = \"{to}\"`, but no transport has that name; call `.transport(..)` on the outbox builder")]
    UnknownTransport {
        /// The event type.
        event: &'static str,
        /// The name it gives.
        to: &'static str,
    },
    /// An event could go to several transports.
    #[error("`{event}` does not say which of the transports {transports} takes it; add `to = \"..\"` or `local` to its `#[domain_event]`")]
    AmbiguousTransport {
        /// The event type.
        event: &'static str,
        /// The names of the transports.
        transports: String,
    },
    /// A handler takes the unit of work of another database.
    #[error("handler `{handler}` takes `&mut {wants}`, but this outbox runs `{has}`; take that one, or install the handler's outbox")]
    WrongUnitOfWork {
        /// Name of the handler.
        handler: &'static str,
        /// What it takes.
        wants: &'static str,
        /// What the outbox has.
        has: &'static str,
    },
    /// `Completion` in a handler that is not told.
    #[error("handler `{handler}` takes `Completion`, which only `#[after_completion]` handlers are told")]
    NoCompletion {
        /// Name of the handler.
        handler: &'static str,
    },
    /// An option has a value that cannot work.
    #[error("{option} is {value}, but {rule}")]
    InvalidOption {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// The tables were written by a newer release.
    #[error(
        "the outbox tables have schema version {found}, but this release knows {known}; upgrade events-sqlx before you start this process"
    )]
    NewerSchema {
        /// Version in the database.
        found: i64,
        /// Newest version this release knows.
        known: i64,
    },
    /// The tables are missing or old and migrations are left to you.
    #[error(
        "the outbox tables have schema version {found}, but this release needs {needed}; run `events_sqlx::migrate` first, or leave out `.without_migrations()`"
    )]
    OlderSchema {
        /// Version in the database; 0 if there are no tables.
        found: i64,
        /// Version this release needs.
        needed: i64,
    },
}

fn list(problems: &[BuildError]) -> String {
    problems.iter().map(|problem| format!("\n  - {problem}")).collect()
}

impl BuildError {
    /// Checks that a name fits its column on every database: the name of a target, or that of a service.
    ///
    /// # Errors
    /// It does not.
    pub fn check_name(option: &'static str, name: &str) -> Result<(), Self> {
        const MAX: usize = 255;
        if (1..=MAX).contains(&name.len()) && !name.contains('\0') {
            return Ok(());
        }
        Err(Self::InvalidOption { option, value: format!("{name:?}"), rule: "it must have 1 to 255 bytes, and no NUL among them" })
    }
}
