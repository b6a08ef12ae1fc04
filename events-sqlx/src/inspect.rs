//! For people and for maintenance: lists, counts, redrive, discard, renames, purge.

use crate::backend::{Backend, TermsOf, fetch, run};
use crate::dead_letters::DeadLetter;
use crate::deliveries::{Filter, Waiting, WaitingState};
use crate::lines::{self, Lines};
use crate::pages::{self, Order};
use crate::rows::{count, envelope, history, text};
use crate::statements::Statement;
use crate::values::{List, Values};
use events_core::{DeliveryId, Orphans, millis_of};
use std::{collections::HashMap, sync::Arc, time::Duration};
use time::OffsetDateTime;

/// At most so many keys are renamed in one transaction.
const ADOPT_KEYS: i64 = 1_000;

/// The only number a statement returns.
pub(crate) async fn number<DB: Backend>(conn: &mut DB::Connection, statement: &Statement, values: &Values<'_>) -> sqlx::Result<u64> {
    let rows = fetch::<DB>(conn, statement, values, None).await?;
    let number = rows.first().map(|row| DB::int(row, 0)).transpose()?.flatten();
    Ok(number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0))
}

/// Deliveries that wait, oldest first, at most as many as the filter says.
pub(crate) async fn waiting<DB: Backend>(conn: &mut DB::Connection, filter: &Filter, terms: TermsOf<'_, DB>) -> sqlx::Result<Vec<Waiting>> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let rest = filter.clone().limit(filter.limit - u32::try_from(ids.len()).unwrap_or(filter.limit));
        let found = pages::waiting::<DB>(conn, &rest, after, terms).await?;
        ids.extend(found.ids);
        after = found.next;
        if after.is_none() || ids.len() >= filter.limit as usize {
            ids.sort_unstable();
            return waiting_by_ids::<DB>(conn, &ids, terms).await;
        }
    }
}

/// Dead letters, those first that died first, at most as many as the filter says.
pub(crate) async fn dead<DB: Backend>(conn: &mut DB::Connection, filter: &Filter, terms: TermsOf<'_, DB>) -> sqlx::Result<Vec<DeadLetter>> {
    let ids = dead_ids::<DB>(conn, filter, terms).await?;
    dead_by_ids::<DB>(conn, &ids, terms).await
}

/// As [`dead`], but only their ids.
pub(crate) async fn dead_ids<DB: Backend>(
    conn: &mut DB::Connection,
    filter: &Filter,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Vec<DeliveryId>> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let rest = filter.clone().limit(filter.limit - u32::try_from(ids.len()).unwrap_or(filter.limit));
        let found = pages::dead::<DB>(conn, &rest, (Order::OldestFirst, after), terms).await?;
        ids.extend(found.ids);
        after = found.next;
        if after.is_none() || ids.len() >= filter.limit as usize {
            return Ok(ids);
        }
    }
}

/// The given deliveries, as far as they still wait.
pub(crate) async fn waiting_by_ids<DB: Backend>(
    conn: &mut DB::Connection,
    ids: &[DeliveryId],
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Vec<Waiting>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = fetch::<DB>(conn, &terms.sql.waiting, &Values::list("delivery", &List::deliveries(ids)), terms.now).await?;
    let read = |row: &DB::Row| {
        let failed = count::<DB>(row, 11)?;
        Ok(Waiting {
            id: DeliveryId(DB::id(row, 0)?),
            target: text::<DB>(row, 2)?,
            envelope: envelope::<DB>(row, terms),
            state: WaitingState::named(&text::<DB>(row, 15)?),
            visible_at: DB::time(row, 16)?,
            failed,
            abandoned: count::<DB>(row, 12)?,
            failures: history(DB::text(row, 14)?, DB::text(row, 13)?, failed),
        })
    };
    Ok(in_order(ids, rows.iter().map(read).collect::<sqlx::Result<_>>()?, |row| row.id))
}

/// The given dead letters, as far as they are still there.
pub(crate) async fn dead_by_ids<DB: Backend>(
    conn: &mut DB::Connection,
    ids: &[DeliveryId],
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Vec<DeadLetter>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = fetch::<DB>(conn, &terms.sql.dead, &Values::list("delivery", &List::deliveries(ids)), terms.now).await?;
    let read = |row: &DB::Row| {
        let attempts = count::<DB>(row, 11)?;
        Ok(DeadLetter {
            id: DeliveryId(DB::id(row, 0)?),
            target: text::<DB>(row, 2)?,
            envelope: envelope::<DB>(row, terms),
            reason: text::<DB>(row, 12)?,
            attempts,
            failures: history(DB::text(row, 14)?, DB::text(row, 13)?, attempts),
            died_at: DB::time(row, 15)?.unwrap_or(OffsetDateTime::UNIX_EPOCH),
            blocks_key: DB::int(row, 16)? == Some(1),
        })
    };
    Ok(in_order(ids, rows.iter().map(read).collect::<sqlx::Result<_>>()?, |row| row.id))
}

/// Rows in the order of `ids`: a database returns them in any.
fn in_order<T>(ids: &[DeliveryId], mut rows: Vec<T>, id: impl Fn(&T) -> DeliveryId) -> Vec<T> {
    let places: HashMap<DeliveryId, usize> = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    rows.sort_by_key(|row| places.get(&id(row)).copied());
    rows
}

/// Dead letters that are still there, and the lines they belong to.
struct Letters {
    ids: List,
    many: u64,
    /// Lines that the letters do not block, each with how many will be added to it.
    adding: Lines,
    /// Lines that the letters block, each with how many.
    blocking: Lines,
}

/// Locks dead letters, so that nobody else redrives or discards them meanwhile.
async fn locked<DB: Backend>(conn: &mut DB::Connection, ids: &[DeliveryId], terms: TermsOf<'_, DB>) -> sqlx::Result<Letters> {
    let wanted = List::deliveries(ids);
    let rows = fetch::<DB>(conn, &terms.sql.dead_lines, &Values::list("letter", &wanted), terms.now).await?;
    let (mut ids, mut adding, mut blocking) = (Vec::with_capacity(rows.len()), Lines::default(), Lines::default());
    for row in &rows {
        ids.push(DeliveryId(DB::id(row, 0)?));
        // A key that cannot be read has no line.
        if let Some(key) = DB::text(row, 1).unwrap_or_default() {
            let lines = if DB::int(row, 3)? == Some(1) { &mut blocking } else { &mut adding };
            lines.add((key.to_owned(), text::<DB>(row, 2)?), 1);
        }
    }
    Ok(Letters { many: ids.len() as u64, ids: List::deliveries(&ids), adding, blocking })
}

/// Puts dead letters back into the outbox.
pub(crate) async fn redrive<DB: Backend>(conn: &mut DB::Connection, ids: &[DeliveryId], terms: TermsOf<'_, DB>) -> sqlx::Result<u64> {
    let letters = locked::<DB>(conn, ids, terms).await?;
    // What blocked its line was counted in it all the time.
    lines::raise::<DB>(conn, &letters.adding, terms).await?;
    let values = Values::list("letter", &letters.ids);
    run::<DB>(conn, &terms.sql.redrive_copy, &values, terms.now).await?;
    run::<DB>(conn, &terms.sql.dead_delete, &values, terms.now).await?;
    Ok(letters.many)
}

/// Lets what the dead letters block go on without them; returns how many letters blocked something, and how many deliveries became deliverable.
pub(crate) async fn pass<DB: Backend>(conn: &mut DB::Connection, ids: &[DeliveryId], terms: TermsOf<'_, DB>) -> sqlx::Result<(u64, u64)> {
    let letters = locked::<DB>(conn, ids, terms).await?;
    lines::lock::<DB>(conn, &letters.blocking, terms).await?;
    run::<DB>(conn, &terms.sql.dead_pass, &Values::list("letter", &letters.ids), terms.now).await?;
    let freed = lines::advance::<DB>(conn, &letters.blocking, terms).await?;
    Ok((letters.many, freed))
}

/// Deletes dead letters; what they blocked goes on.
pub(crate) async fn discard<DB: Backend>(
    conn: &mut DB::Connection,
    ids: &[DeliveryId],
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<(u64, u64)> {
    let letters = locked::<DB>(conn, ids, terms).await?;
    lines::lock::<DB>(conn, &letters.blocking, terms).await?;
    run::<DB>(conn, &terms.sql.dead_delete, &Values::list("letter", &letters.ids), terms.now).await?;
    let freed = lines::advance::<DB>(conn, &letters.blocking, terms).await?;
    Ok((letters.many, freed))
}

/// Removes deliveries that have been in the archive for long enough.
pub(crate) async fn purge_archive<DB: Backend>(
    conn: &mut DB::Connection,
    keep: Duration,
    limit: u32,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<u64> {
    let values = Values::default().int("keep", millis_of(keep)).int("limit", i64::from(limit));
    run::<DB>(conn, &terms.sql.purge_archive, &values, terms.now).await
}

/// Renames a target in deliveries and dead letters; returns how many, and whether there may be more.
pub(crate) async fn adopt<DB: Backend>(
    conn: &mut DB::Connection,
    earlier: &str,
    present: &str,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<(u64, bool)> {
    let names = || Values::default().text("earlier", earlier).text("present", present);
    let rows = fetch::<DB>(conn, &terms.sql.adopt_keys, &names().int("limit", ADOPT_KEYS), terms.now).await?;
    let keys = rows.iter().map(|row| text::<DB>(row, 0)).collect::<sqlx::Result<Vec<_>>>()?;
    let mut adopted = 0;
    if !keys.is_empty() {
        let both = keys.iter().flat_map(|key| [earlier, present].map(|target| ((key.clone(), target.to_owned()), 0)));
        let lines: Lines = both.collect();
        lines::raise::<DB>(conn, &lines, terms).await?;
        let list = List::default().texts("key", keys.iter().map(String::as_str));
        for statement in [&terms.sql.adopt_keyed, &terms.sql.adopt_blocking] {
            adopted += run::<DB>(conn, statement, &names().and_list("key", &list), terms.now).await?;
        }
        lines::recount::<DB>(conn, &lines, terms).await?;
    }
    for statement in [&terms.sql.adopt, &terms.sql.adopt_dead] {
        adopted += run::<DB>(conn, statement, &names(), terms.now).await?;
    }
    Ok((adopted, keys.len() as i64 >= ADOPT_KEYS))
}

/// Counts what waits for other targets than the known ones.
pub(crate) async fn orphans<DB: Backend>(
    conn: &mut DB::Connection,
    known: &[Arc<str>],
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Vec<Orphans>> {
    let known = List::default().texts("target", known.iter().map(|name| &**name));
    let rows = fetch::<DB>(conn, &terms.sql.orphans, &Values::list("known", &known), terms.now).await?;
    rows.iter()
        .map(|row| {
            let waiting = DB::int(row, 1)?.and_then(|waiting| u64::try_from(waiting).ok()).unwrap_or(0);
            Ok(Orphans { target: text::<DB>(row, 0)?, waiting })
        })
        .collect()
}
