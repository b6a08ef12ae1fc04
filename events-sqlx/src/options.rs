//! Units of work with other than the default settings.

use crate::backend::Backend;
use crate::{Outbox, UnitOfWork};
use events_core::{Backoff, Collector, Error, RetryPolicy};
use std::error::Error as StdError;
use std::{fmt, ops::Deref, time::Duration};

/// The first pause before a unit of work that collided is repeated, and the longest; jittered.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How much a transaction sees of others that run at the same time.
///
/// SQLite has one writer, so its units of work are serializable whatever is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isolation {
    /// Every statement sees what was committed before it began. The default of PostgreSQL.
    ReadCommitted,
    /// Every statement sees what was committed before the first one. The default of MySQL and MariaDB.
    RepeatableRead,
    /// As if the transactions ran one after the other; those that cannot are ended with an error and should be repeated.
    Serializable,
}

#[cfg(any(feature = "mysql", feature = "postgres"))]
impl Isolation {
    /// The level in SQL.
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::ReadCommitted => "READ COMMITTED",
            Self::RepeatableRead => "REPEATABLE READ",
            Self::Serializable => "SERIALIZABLE",
        }
    }
}

/// Settings of a unit of work.
///
/// ```no_run
/// # use events_sqlx::{Isolation, sqlite::UnitOfWork};
/// # use std::time::Duration;
/// # async fn f() -> Result<(), events_core::Error> {
/// UnitOfWork::options()
///     .isolation(Isolation::Serializable)
///     .timeout(Duration::from_secs(5))
///     .retry_serialization(3)
///     .run(async |uow| -> Result<(), events_core::Error> {
///         // May run up to four times; each time everything of the time before was rolled back.
///         Ok(())
///     })
///     .await
/// # }
/// ```
#[must_use = "settings do nothing until `.run(..)` is called"]
pub struct Options<DB: Backend> {
    /// `None` is the installed one, whichever that is when the unit of work begins.
    outbox: Option<Outbox<DB>>,
    isolation: Option<Isolation>,
    timeout: Option<Duration>,
}

impl<DB: Backend> Options<DB> {
    pub(crate) fn of(outbox: Option<Outbox<DB>>) -> Self {
        Self { outbox, isolation: None, timeout: None }
    }

    /// How much the transaction sees of others. The default is that of the connection.
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = Some(isolation);
        self
    }

    /// How long the work may take, COMMIT not included; then it is rolled back. There is no limit by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Repeats the whole unit of work, at most so many times, if its transaction collided with another one: a deadlock, a serialization
    /// failure, a lock that was waited for too long. Only then: everything was rolled back, so repeating it is safe.
    pub fn retry_serialization(self, times: u32) -> Retrying<DB> {
        Retrying { options: self, times }
    }

    /// Runs `work` as [`Outbox::run`] does, with these settings.
    ///
    /// # Errors
    /// As [`Outbox::run`]; [`Error::UnitOfWorkTimeout`] if the work took too long.
    ///
    /// # Cancel safety
    /// As [`Outbox::run`].
    pub async fn run<T, E>(self, work: impl AsyncFnOnce(&mut UnitOfWork<DB>) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error>,
    {
        if Collector::current().is_some() {
            return Err(Error::NestedUnitOfWork.into());
        }
        self.run_in_scope(work).await
    }

    pub(crate) async fn run_in_scope<T, E>(&self, work: impl AsyncFnOnce(&mut UnitOfWork<DB>) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error>,
    {
        let outbox = self.outbox.clone().map_or_else(|| DB::installed().get(), Ok)?;
        let mut uow = outbox.begin_with(self.isolation).await?;
        let collector = uow.collector().clone();
        let done = match self.timeout {
            None => collector.scope(work(&mut uow)).await,
            Some(limit) => {
                let in_time = tokio::time::timeout(limit, collector.scope(work(&mut uow))).await;
                in_time.unwrap_or_else(|_| Err(Error::UnitOfWorkTimeout { limit }.into()))
            }
        };
        match done {
            Ok(value) => {
                uow.commit().await?;
                Ok(value)
            }
            Err(error) => {
                // The caller's error matters more than one of the rollback, which the database makes up for by itself.
                if let Err(error) = uow.rollback().await {
                    tracing::warn!(error = error.report(), "a rollback failed; closing the connection undoes the transaction");
                }
                Err(error)
            }
        }
    }
}

/// Settings of a unit of work that is repeated when its transaction collided with another one.
#[must_use = "settings do nothing until `.run(..)` is called"]
pub struct Retrying<DB: Backend> {
    options: Options<DB>,
    times: u32,
}

impl<DB: Backend> Retrying<DB> {
    /// Runs `work`, perhaps several times. Its error must be a `std::error::Error` whose sources lead to the driver's;
    /// for `anyhow::Error` and boxed errors see [`run_dyn`](Self::run_dyn).
    ///
    /// # Errors
    /// As [`Options::run`]; a collision if it came again too often.
    ///
    /// # Cancel safety
    /// As [`Outbox::run`].
    pub async fn run<T, E>(self, work: impl AsyncFn(&mut UnitOfWork<DB>) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error> + StdError + 'static,
    {
        self.repeat(work, |error: &E| collided::<DB>(error)).await
    }

    /// As [`run`](Self::run), for `anyhow::Error` and `Box<dyn Error + Send + Sync>`.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    /// As [`Outbox::run`].
    pub async fn run_dyn<T, E>(self, work: impl AsyncFn(&mut UnitOfWork<DB>) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error> + Deref<Target = dyn StdError + Send + Sync + 'static>,
    {
        self.repeat(work, |error: &E| collided::<DB>(&**error)).await
    }

    async fn repeat<T, E>(self, work: impl AsyncFn(&mut UnitOfWork<DB>) -> Result<T, E>, collided: impl Fn(&E) -> bool) -> Result<T, E>
    where
        E: From<Error>,
    {
        if Collector::current().is_some() {
            return Err(Error::NestedUnitOfWork.into());
        }
        let backoff = Backoff::Exponential { first: FIRST_PAUSE, max: LONGEST_PAUSE };
        let pauses = RetryPolicy::default().attempts(self.times.saturating_add(1)).backoff(backoff);
        let mut failed = 0;
        loop {
            let error = match self.options.run_in_scope(&work).await {
                Err(error) if collided(&error) => error,
                done => return done,
            };
            failed += 1;
            let Some(pause) = pauses.delay_after(failed) else { return Err(error) };
            tracing::debug!(failed, ?pause, "a unit of work collided with another one; it is repeated");
            tokio::time::sleep(pause).await;
        }
    }
}

/// Whether an error of the driver that says so is among the sources of `error`.
fn collided<DB: Backend>(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<sqlx::Error>() {
            return DB::collided(error);
        }
        next = error.source();
    }
    false
}

impl<DB: Backend> fmt::Debug for Options<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("isolation", &self.isolation).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl<DB: Backend> fmt::Debug for Retrying<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retrying").field("options", &self.options).field("times", &self.times).finish()
    }
}
