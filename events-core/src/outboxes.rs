//! Several outboxes in one process. Each has its own relay, connections and limits, so none waits for another.

use crate::error::report;
use crate::retry::around;
use crate::supervise::panic_message;
use crate::{BoxError, BuildError, Error, LoopHealth, Stats};
use async_trait::async_trait;
use futures_util::{FutureExt, future::join_all};
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::{sync::Notify, task::JoinHandle};

/// The pause after a start that failed, the first and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// How long one start may take: a database that does not answer is tried again.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long [`Outboxes::shutdown`] lets deliveries finish.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(30);

/// The outbox of any database, as [`Outboxes`] sees it.
#[async_trait]
pub trait AnyOutbox: Send + Sync + 'static {
    /// What happened since it was started.
    fn stats(&self) -> Stats;
    /// How its loops are doing.
    fn health(&self) -> Vec<LoopHealth>;
    /// How many of its deliveries are in memory.
    fn in_flight(&self) -> usize;
    /// How many deliveries are not settled yet.
    ///
    /// # Errors
    /// The database failed.
    async fn waiting(&self) -> Result<u64, Error>;
    /// How many dead letters there are.
    ///
    /// # Errors
    /// The database failed.
    async fn dead_count(&self) -> Result<u64, Error>;
    /// Lets deliveries finish, gives back the rest, stops; returns how many were still under way at the deadline.
    async fn shutdown_within(&self, deadline: Duration) -> usize;
}

/// Several outboxes, of one database system or of several, by name. They come and go while the others run. Clones are one group.
///
/// A database that is away when its outbox is added keeps nobody waiting: it is tried again and again, and [`status`](Self::status) says so.
///
/// The documentation of events-sqlx has an example, under "Several databases".
#[derive(Clone, Default)]
pub struct Outboxes(Arc<Mutex<Group>>);

#[derive(Default)]
struct Group {
    members: BTreeMap<Arc<str>, Member>,
    closed: bool,
}

struct Member {
    start: Arc<Start>,
    starter: JoinHandle<()>,
}

/// How the start of an outbox is going.
#[derive(Default)]
struct Start {
    progress: Mutex<Progress>,
    /// Ends the attempts.
    stop: Notify,
}

#[derive(Default)]
struct Progress {
    running: Option<Arc<dyn AnyOutbox>>,
    failures: u64,
    last_error: Option<String>,
}

/// How an outbox of a group is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutboxStatus {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it runs; if not, its database is away or refuses it, and it is tried again.
    pub running: bool,
    /// How many starts failed.
    pub failed_starts: u64,
    /// Why the last start failed, until one succeeds.
    pub last_error: Option<String>,
    /// How many of its deliveries are in memory.
    pub in_flight: usize,
    /// What happened since it was started.
    pub stats: Stats,
    /// How its loops are doing; empty while it does not run.
    pub health: Vec<LoopHealth>,
}

impl Outboxes {
    /// An empty group.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an outbox; `start` connects to its database and starts it. Returns at once: it is started in the background, and until that
    /// works `start` is called again, with growing pauses.
    ///
    /// # Errors
    /// Another outbox of the group has this name, or the group was shut down.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn add<F, O, E>(&self, name: impl Into<Arc<str>>, start: impl Fn() -> F + Send + Sync + 'static) -> Result<(), BuildError>
    where
        F: Future<Output = Result<O, E>> + Send + 'static,
        O: AnyOutbox,
        E: Into<BoxError> + Send + 'static,
    {
        let name = name.into();
        let mut group = self.group();
        let refused = |rule| Err(BuildError::InvalidOption { option: "the outbox's name", value: format!("`{name}`"), rule });
        if group.closed {
            return refused("its group was shut down; make a new one");
        }
        if group.members.contains_key(&name) {
            return refused("another outbox of the group has this name; choose another, or remove that one first");
        }
        let progress = Arc::new(Start::default());
        let starter = tokio::spawn(start_until_it_works(Arc::clone(&name), Arc::clone(&progress), start));
        group.members.insert(name, Member { start: progress, starter });
        Ok(())
    }

    /// Shuts down an outbox and takes it out of the group; returns how many deliveries were still under way at the deadline, and `None`
    /// if there is no such outbox.
    ///
    /// # Cancel safety
    /// When cancelled, the shutdown goes on.
    pub async fn remove(&self, name: &str, deadline: Duration) -> Option<usize> {
        let member = self.group().members.remove(name)?;
        tracing::info!(name, "an outbox is removed from its group");
        Some(tokio::spawn(member.end(deadline)).await.unwrap_or(0))
    }

    /// Shuts down all outboxes at once, for at most 30 s. The group takes no more.
    ///
    /// # Cancel safety
    /// As [`remove`](Self::remove).
    pub async fn shutdown(&self) {
        self.shutdown_within(SHUTDOWN_DEADLINE).await;
    }

    /// As [`shutdown`](Self::shutdown) with one deadline of your own for all; returns how many deliveries of each outbox were still under
    /// way then.
    pub async fn shutdown_within(&self, deadline: Duration) -> Vec<(Arc<str>, usize)> {
        let members = {
            let mut group = self.group();
            group.closed = true;
            std::mem::take(&mut group.members)
        };
        let ends = members.into_iter().map(|(name, member)| {
            let end = tokio::spawn(member.end(deadline));
            async move { (name, end.await.unwrap_or(0)) }
        });
        join_all(ends).await
    }

    /// The names of all outboxes, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<Arc<str>> {
        self.group().members.keys().cloned().collect()
    }

    /// Whether there is an outbox of this name, running or not.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.group().members.contains_key(name)
    }

    /// The outbox of this name, if it runs.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<dyn AnyOutbox>> {
        self.group().members.get(name)?.start.progress().running.clone()
    }

    /// How each outbox is doing, sorted by name. Asks no database.
    #[must_use]
    pub fn status(&self) -> Vec<OutboxStatus> {
        self.group().members.iter().map(|(name, member)| member.start.status(Arc::clone(name))).collect()
    }

    /// How many deliveries are not settled yet, in each outbox that runs. All databases are asked at once; what one of them does not
    /// answer `within` this time is an error of its own.
    pub async fn waiting(&self, within: Duration) -> Vec<(Arc<str>, Result<u64, Error>)> {
        let running: Vec<_> = self.names().into_iter().filter_map(|name| Some((self.get(&name)?, name))).collect();
        let answers = running.into_iter().map(|(outbox, name)| async move {
            let answer = tokio::time::timeout(within, outbox.waiting()).await;
            (name, answer.unwrap_or(Err(Error::Timeout { doing: "counting deliveries", seconds: within.as_secs() })))
        });
        join_all(answers).await
    }

    fn group(&self) -> MutexGuard<'_, Group> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    async fn end(self, deadline: Duration) -> usize {
        self.start.stop.notify_one();
        // It ends at once; after that nobody starts the outbox behind our back.
        let _ = self.starter.await;
        let running = self.start.progress().running.take();
        match running {
            Some(outbox) => outbox.shutdown_within(deadline).await,
            None => 0,
        }
    }
}

impl Start {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self, name: Arc<str>) -> OutboxStatus {
        let progress = self.progress();
        let running = progress.running.as_deref();
        OutboxStatus {
            name,
            running: running.is_some(),
            failed_starts: progress.failures,
            last_error: progress.last_error.clone(),
            in_flight: running.map_or(0, AnyOutbox::in_flight),
            stats: running.map(AnyOutbox::stats).unwrap_or_default(),
            health: running.map(AnyOutbox::health).unwrap_or_default(),
        }
    }
}

async fn start_until_it_works<F, O, E>(name: Arc<str>, start: Arc<Start>, attempt: impl Fn() -> F)
where
    F: Future<Output = Result<O, E>>,
    O: AnyOutbox,
    E: Into<BoxError>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let outcome = tokio::select! {
            outcome = one_start(&attempt) => outcome,
            () = start.stop.notified() => return,
        };
        match outcome {
            Ok(outbox) => {
                tracing::info!(%name, "an outbox of the group runs");
                let mut progress = start.progress();
                progress.running = Some(Arc::new(outbox));
                progress.last_error = None;
                return;
            }
            Err(error) => {
                tracing::warn!(%name, error, ?pause, "an outbox of the group cannot be started; trying again");
                let mut progress = start.progress();
                progress.failures += 1;
                progress.last_error = Some(error);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(around(pause)) => {}
            () = start.stop.notified() => return,
        }
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// One start, within its time; a panic is an error like others.
async fn one_start<F, O, E>(attempt: impl Fn() -> F) -> Result<O, String>
where
    F: Future<Output = Result<O, E>>,
    E: Into<BoxError>,
{
    match tokio::time::timeout(START_LIMIT, AssertUnwindSafe(async { attempt().await }).catch_unwind()).await {
        Ok(Ok(Ok(outbox))) => Ok(outbox),
        Ok(Ok(Err(error))) => Err(report(&*error.into())),
        Ok(Err(panic)) => Err(format!("it panicked: {}", panic_message(&*panic))),
        Err(_) => Err(format!("it did not start within {} s", START_LIMIT.as_secs())),
    }
}
