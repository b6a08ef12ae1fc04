//! What a database system must answer. Sealed: each answer is SQL written for that system.

use crate::dead_letters::DeadLetter;
use crate::deliveries::{Filter, Waiting};
use crate::installed::Installed;
use crate::migrate::Migration;
use crate::statements::Schema;
use events_core::{DeliveryId, Error, Lease, LeaseRequest, Leased, Orphans, Planned, Settlement, TargetRequest};
use sqlx::{Database, Pool, Transaction};
use std::{future::Future, sync::Arc, time::Duration};

pub(crate) mod sealed {
    /// Keeps [`Backend`](super::Backend) to this crate.
    pub trait Sealed {}
}

/// What a call needs besides its own data: the statements, whose time counts, and what becomes of the delivered.
#[derive(Debug)]
pub struct Terms<'a, S> {
    /// The statements of this outbox.
    pub sql: &'a S,
    /// Milliseconds after the Unix epoch if a test moves the clock; `None` is the database's own time.
    pub now: Option<i64>,
    /// Whether delivered deliveries go to the archive.
    pub archive: bool,
}

impl<S> Clone for Terms<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Terms<'_, S> {}

/// The terms of a database system.
pub(crate) type TermsOf<'a, DB> = Terms<'a, <DB as Backend>::Statements>;

/// What a batch of settlements did.
#[derive(Debug)]
pub enum SettledRows {
    /// Every lease held. So many deliveries became deliverable because their key was freed.
    All { freed: u64 },
    /// Some leases were lost; the transaction must be rolled back.
    SomeLost,
}

/// What the error of a COMMIT says about its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFailure {
    /// The transaction is rolled back.
    RolledBack,
    /// It may have been committed.
    Unknown,
}

/// A database system that can hold an outbox. Sealed; the systems are modules of this crate.
///
/// Its methods are not public API.
#[doc(hidden)]
pub trait Backend: Database + sealed::Sealed {
    /// The system's name, as in error messages.
    const SYSTEM: &'static str;
    /// Whether only one transaction can write at a time.
    const SINGLE_WRITER: bool;
    /// All migrations, oldest first.
    const MIGRATIONS: &'static [Migration];
    /// The statements of one outbox.
    type Statements: Send + Sync + 'static;

    /// Loads the statements for tables in `schema`.
    fn statements(schema: &Schema) -> Self::Statements;

    fn installed() -> &'static Installed<Self>;

    /// Puts the database into the state the outbox relies on.
    fn prepare(pool: &Pool<Self>) -> impl Future<Output = Result<(), Error>> + Send;
    /// A pool for the relay's own use, so that a business pool in demand cannot starve it.
    fn own_pool(pool: &Pool<Self>, connections: u32) -> Pool<Self>;
    /// Begins a transaction that may write.
    fn begin(pool: &Pool<Self>) -> impl Future<Output = sqlx::Result<Transaction<'static, Self>>> + Send;
    /// What becomes of a transaction in which a statement failed and the caller went on nevertheless.
    const ENDED: &'static str;
    /// Whether the transaction can still be committed: a system may end it by itself when a statement fails. `writes` says whether
    /// something is going to be written, which on some systems would show it anyway.
    fn is_open(conn: &mut Self::Connection, writes: bool) -> impl Future<Output = sqlx::Result<bool>> + Send;
    /// What to do about an error, where it is known; starts with `; `.
    fn cure(error: &sqlx::Error) -> &'static str;
    /// What the error of a COMMIT says about its outcome.
    fn commit_failure(error: &sqlx::Error) -> CommitFailure;

    /// Runs a statement without parameters; several, if separated.
    fn execute(conn: &mut Self::Connection, sql: String) -> impl Future<Output = sqlx::Result<()>> + Send;
    fn schema_version(conn: &mut Self::Connection, sql: &Self::Statements) -> impl Future<Output = sqlx::Result<i64>> + Send;
    fn set_schema_version(
        conn: &mut Self::Connection,
        sql: &Self::Statements,
        version: i64,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    fn append(
        conn: &mut Self::Connection,
        planned: &mut [Planned],
        lease: Duration,
        terms: TermsOf<'_, Self>,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;
    /// Which of the requested targets have something due. A system whose lease costs nothing when idle may name all of them.
    fn due(
        pool: &Pool<Self>,
        request: &LeaseRequest,
        terms: TermsOf<'_, Self>,
    ) -> impl Future<Output = sqlx::Result<Vec<TargetRequest>>> + Send;
    fn lease(pool: &Pool<Self>, request: &LeaseRequest, terms: TermsOf<'_, Self>) -> impl Future<Output = sqlx::Result<Leased>> + Send;
    fn settle(
        conn: &mut Self::Connection,
        settlements: &[Settlement],
        terms: TermsOf<'_, Self>,
    ) -> impl Future<Output = sqlx::Result<SettledRows>> + Send;
    fn lost(
        conn: &mut Self::Connection,
        leases: &[Lease],
        terms: TermsOf<'_, Self>,
    ) -> impl Future<Output = sqlx::Result<Vec<DeliveryId>>> + Send;
    fn renew(
        pool: &Pool<Self>,
        leases: &[Lease],
        lease: Duration,
        terms: TermsOf<'_, Self>,
    ) -> impl Future<Output = sqlx::Result<Vec<DeliveryId>>> + Send;
    fn purge(
        conn: &mut Self::Connection,
        archive_for: Option<Duration>,
        limit: u32,
        terms: TermsOf<'_, Self>,
    ) -> impl Future<Output = sqlx::Result<u64>> + Send;
    /// Renames a target in deliveries and dead letters.
    fn adopt(
        conn: &mut Self::Connection,
        earlier: &str,
        present: &str,
        terms: TermsOf<'_, Self>,
    ) -> impl Future<Output = sqlx::Result<u64>> + Send;
    /// Lines (key, target) whose head waits for nothing.
    fn stuck_keys(
        pool: &Pool<Self>,
        limit: u32,
        terms: TermsOf<'_, Self>,
    ) -> impl Future<Output = sqlx::Result<Vec<(String, String)>>> + Send;
    /// Makes the heads of lines (key, target) deliverable; returns how many were not before.
    fn free_keys(
        conn: &mut Self::Connection,
        lines: &[(&str, &str)],
        terms: TermsOf<'_, Self>,
    ) -> impl Future<Output = sqlx::Result<u64>> + Send;
    fn orphans(pool: &Pool<Self>, known: &[Arc<str>], terms: TermsOf<'_, Self>) -> impl Future<Output = sqlx::Result<Vec<Orphans>>> + Send;

    fn count_waiting(pool: &Pool<Self>, sql: &Self::Statements) -> impl Future<Output = sqlx::Result<u64>> + Send;
    fn count_dead(pool: &Pool<Self>, sql: &Self::Statements) -> impl Future<Output = sqlx::Result<u64>> + Send;
    fn waiting(pool: &Pool<Self>, filter: &Filter, terms: TermsOf<'_, Self>) -> impl Future<Output = sqlx::Result<Vec<Waiting>>> + Send;
    fn dead(pool: &Pool<Self>, filter: &Filter, terms: TermsOf<'_, Self>) -> impl Future<Output = sqlx::Result<Vec<DeadLetter>>> + Send;
    fn redrive(conn: &mut Self::Connection, ids: &[DeliveryId], terms: TermsOf<'_, Self>)
    -> impl Future<Output = sqlx::Result<u64>> + Send;
    fn discard(conn: &mut Self::Connection, ids: &[DeliveryId], terms: TermsOf<'_, Self>)
    -> impl Future<Output = sqlx::Result<u64>> + Send;
}
