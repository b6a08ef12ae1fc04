//! Leases taken by the scanner.

use crate::backend::{Backend, fetch, run};
use crate::mysql::Terms;
use crate::rows::{count, leased, text};
use crate::statements::{Dialect, Schema, Statement};
use crate::values::{List, Value, Values, bind};
use events_core::{LeaseRequest, Leased, TargetRequest, millis_of};
use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlRow};
use sqlx::{MySql, MySqlPool};
use std::borrow::Cow;

/// At most so many targets are asked about in one statement.
const MAX_TARGETS: usize = 16;

/// The look for what is due, for 1, 2, .. targets.
#[derive(Debug)]
pub(crate) struct DueTargets(Vec<Statement>);

impl DueTargets {
    pub(crate) fn of(schema: &Schema, dialect: &Dialect) -> Self {
        let one = include_str!("../../sql/mysql/due_target.sql");
        Self((1..=MAX_TARGETS).map(|targets| Statement::new(&vec![one; targets].join("UNION ALL\n"), schema, dialect)).collect())
    }

    /// The look for one target.
    pub(crate) fn one(&self) -> &Statement {
        &self.0[0]
    }
}

pub(crate) async fn due(pool: &MySqlPool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Vec<TargetRequest>> {
    let mut conn = pool.acquire().await?;
    let mut due = Vec::new();
    for targets in request.targets.chunks(MAX_TARGETS) {
        let mut arguments = MySqlArguments::default();
        for target in targets {
            for _ in 0..2 {
                bind::<MySql>(&mut arguments, Value::Text(Some(Cow::Borrowed(&*target.name))))?;
            }
            bind::<MySql>(&mut arguments, Value::Int(terms.now))?;
            bind::<MySql>(&mut arguments, Value::Int(target.within.map(millis_of)))?;
        }
        let rows = MySql::fetch(&mut conn, &terms.own.due_targets.0[targets.len() - 1], arguments).await?;
        let names = rows.iter().map(|row| text::<MySql>(row, 0)).collect::<sqlx::Result<Vec<_>>>()?;
        due.extend(targets.iter().filter(|target| names.iter().any(|name| **name == *target.name)).cloned());
    }
    Ok(due)
}

pub(crate) async fn lease(pool: &MySqlPool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Leased> {
    // First it finds what is due without locks, then it locks that by its ids: a locking look at the index of what is due stops at each row
    // that was deleted and cannot be forgotten yet, which are many while somebody holds an old snapshot open.
    if let Some(leased) = lease_by(Look::FindThenLock, pool, request, terms).await? {
        return Ok(leased);
    }
    // Others were faster with most of it. In a transaction of its own, because one that locks rows now by their ids and now by that index
    // could wait in a circle with another one that does.
    Ok(lease_by(Look::Lock, pool, request, terms).await?.unwrap_or_default())
}

/// How to look for what is due.
#[derive(Clone, Copy)]
enum Look {
    FindThenLock,
    /// Finds and locks at once, and so skips what others have locked.
    Lock,
}

/// `None` if others were faster with most of what was found.
async fn lease_by(look: Look, pool: &MySqlPool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Option<Leased>> {
    let mut tx = MySql::begin(pool, None).await?;
    let mut rows = Vec::new();
    for target in &request.targets {
        let Some(mut more) = lock(look, &mut tx, target, terms).await? else {
            tx.rollback().await?;
            return Ok(None);
        };
        rows.append(&mut more);
    }
    if rows.is_empty() {
        tx.rollback().await?;
        return Ok(Some(Leased::default()));
    }
    let ids = rows.iter().map(|row| MySql::id(row, 0)).collect::<sqlx::Result<Vec<_>>>()?;
    let abandoned = rows.iter().map(|row| count::<MySql>(row, 12).map(i64::from)).collect::<sqlx::Result<Vec<_>>>()?;
    let picked = List::default().ids("id", ids).ints("abandoned", abandoned);
    let values = Values::list("picked", &picked).id("token", request.token.0).int("lease", millis_of(request.lease));
    run::<MySql>(&mut tx, &terms.own.lease_take, &values, terms.now).await?;
    tx.commit().await?;
    leased::<MySql>(&rows, request, terms).map(Some)
}

/// Locks due deliveries of one target.
async fn lock(look: Look, conn: &mut MySqlConnection, target: &TargetRequest, terms: Terms<'_>) -> sqlx::Result<Option<Vec<MySqlRow>>> {
    let within = target.within.map(millis_of);
    let wanted = Values::default().text("target", &*target.name).int("within", within).int("most", i64::from(target.limit));
    if matches!(look, Look::Lock) {
        return fetch::<MySql>(conn, &terms.own.lease_pick, &wanted, terms.now).await.map(Some);
    }
    let found = fetch::<MySql>(conn, &terms.own.lease_find, &wanted, terms.now).await?;
    if found.is_empty() {
        return Ok(Some(found));
    }
    let ids = List::default().ids("id", found.iter().map(|row| MySql::id(row, 0)).collect::<sqlx::Result<Vec<_>>>()?);
    let values = Values::list("found", &ids).text("target", &*target.name);
    let locked = fetch::<MySql>(conn, &terms.own.lease_lock, &values, terms.now).await?;
    Ok((locked.len() * 2 >= found.len()).then_some(locked))
}
