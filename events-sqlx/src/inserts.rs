//! Writes the deliveries of a unit of work as rows of VALUES, for systems without arrays.

use crate::backend::{Backend, TermsOf, fetch};
use crate::lines::{self, Line, Lines, Place, line_of};
use crate::rows::text;
use crate::statements::{Dialect, Schema, Statement};
use crate::values::{Value, Values, bind};
use events_core::{Planned, millis_of};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// At most so many deliveries in one INSERT; each number of rows is a statement of its own in the connection's cache.
const MAX_ROWS: usize = 32;

/// The INSERT for 1, 2, .. rows, and what reads the lines they belong to.
#[derive(Debug)]
pub(crate) struct Inserts {
    rows: Vec<Statement>,
    lines: Statement,
}

impl Inserts {
    /// `head` is the INSERT up to VALUES, `row` one row, `lines` reads key, target, seq and pending of lines.
    pub(crate) fn of(head: &str, row: &str, lines: &str, schema: &Schema, dialect: &Dialect) -> Self {
        let rows = (1..=MAX_ROWS).map(|rows| Statement::new(&format!("{head}{}", vec![row; rows].join(",")), schema, dialect)).collect();
        Self { rows, lines: Statement::new(lines, schema, dialect) }
    }

    /// The INSERT for one row.
    pub(crate) fn one(&self) -> &Statement {
        &self.rows[0]
    }

    /// What reads lines.
    pub(crate) fn lines(&self) -> &Statement {
        &self.lines
    }
}

/// Numbers and writes the deliveries, and marks those that must wait for their key.
pub(crate) async fn append<DB: Backend>(
    conn: &mut DB::Connection,
    planned: &mut [Planned],
    also: Option<Line>,
    lease: Duration,
    inserts: &Inserts,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<()> {
    let mut lines = Lines::of(planned);
    let mut places = vec![None; planned.len()];
    if !lines.is_empty() {
        if let Some(line) = also {
            lines.add(line, 0);
        }
        places = number::<DB>(conn, planned, &lines, inserts, terms).await?;
    }
    for (rows, places) in planned.chunks(MAX_ROWS).zip(places.chunks(MAX_ROWS)) {
        let mut arguments = DB::Arguments::default();
        for (row, place) in rows.iter().zip(places) {
            bind_row::<DB>(&mut arguments, row, *place, lease, terms.now)?;
        }
        DB::run(conn, &inserts.rows[rows.len() - 1], arguments).await?;
    }
    Ok(())
}

/// Takes the places of the deliveries in their lines.
async fn number<DB: Backend>(
    conn: &mut DB::Connection,
    planned: &mut [Planned],
    lines: &Lines,
    inserts: &Inserts,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Vec<Option<i64>>> {
    lines::raise::<DB>(conn, lines, terms).await?;
    let places = lines.place(planned);
    let rows = fetch::<DB>(conn, &inserts.lines, &Values::list("line", &lines.list()), terms.now).await?;
    let mut raised: BTreeMap<Line, (i64, i64)> = BTreeMap::new();
    for row in &rows {
        let counts = (DB::int(row, 2)?.unwrap_or(0), DB::int(row, 3)?.unwrap_or(0));
        raised.insert((text::<DB>(row, 0)?, text::<DB>(row, 1)?), counts);
    }
    let number = |(row, place): (&mut Planned, Option<Place>)| {
        let Some((line, place)) = line_of(row).zip(place) else { return Ok(None) };
        let (seq, pending) = raised.get(&line).ok_or(sqlx::Error::RowNotFound)?;
        if *pending > place.events {
            row.wait_for_key();
        }
        Ok(Some(seq - place.behind))
    };
    planned.iter_mut().zip(places).map(number).collect()
}

fn bind_row<DB: Backend>(
    arguments: &mut DB::Arguments,
    row: &Planned,
    place: Option<i64>,
    lease: Duration,
    now: Option<i64>,
) -> sqlx::Result<()> {
    let (delivery, envelope) = (row.delivery(), &*row.delivery().envelope);
    let headers = serde_json::to_string(&envelope.headers).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let (delay, leased) = (millis_of(row.delay()), row.is_leased());
    // NULL plus anything is NULL: that is how a row waits for its key, or has no delay.
    let visible_in = (!row.waits_for_key()).then(|| if leased { millis_of(lease) } else { delay });
    let text = |text| Value::Text(Some(Cow::Borrowed(text)));
    let values = [
        Value::Id(Some(delivery.lease.id.0)),
        Value::Id(Some(envelope.id.0)),
        text(&delivery.target),
        text(&envelope.topic),
        Value::Int(Some(i64::from(envelope.version))),
        Value::Text(envelope.key.as_deref().map(Cow::Borrowed)),
        Value::Int(place),
        Value::Bytes(Cow::Borrowed(&envelope.payload)),
        text(&envelope.content_type),
        text(&envelope.source),
        Value::Text(Some(Cow::Owned(headers))),
        Value::Published(envelope.occurred_at),
        Value::Int(now),
        Value::Int(visible_in),
        Value::Int(now),
        Value::Int((delay > 0).then_some(delay)),
        Value::Id(leased.then_some(delivery.lease.token.0)),
    ];
    values.into_iter().try_for_each(|value| bind::<DB>(arguments, value))
}
