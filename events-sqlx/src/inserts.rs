//! Writes the deliveries of a unit of work as rows of VALUES, for systems without arrays.

use crate::backend::{Backend, TermsOf, fetch};
use crate::lines::{self, Line, Lines, Place, line_of};
use crate::rows::text;
use crate::statements::{Dialect, Schema, Statement};
use crate::stored::bind_delivery;
use crate::values::Values;
use events_core::Planned;
use std::collections::BTreeMap;
use std::time::Duration;

/// At most so many deliveries in one INSERT; each number of rows is a statement of its own in the connection's cache.
const MAX_ROWS: usize = 32;

/// The INSERT for 1, 2, .. rows.
#[derive(Debug)]
pub(crate) struct Inserts(Vec<Statement>);

impl Inserts {
    /// `head` is the INSERT up to VALUES, `row` one row with a `?` for each value.
    pub(crate) fn of(head: &str, row: &str, schema: &Schema, dialect: &Dialect) -> Self {
        Self((1..=MAX_ROWS).map(|rows| Statement::positional(&format!("{head}{}", vec![row; rows].join(",")), schema, dialect)).collect())
    }

    /// The INSERT for one row.
    pub(crate) fn one(&self) -> &Statement {
        &self.0[0]
    }

    /// Writes deliveries, each in its place in its line if it has one.
    pub(crate) async fn write<DB: Backend>(
        &self,
        conn: &mut DB::Connection,
        planned: &[Planned],
        places: &[Option<i64>],
        lease: Duration,
        now: Option<i64>,
    ) -> sqlx::Result<()> {
        for (rows, places) in planned.chunks(MAX_ROWS).zip(places.chunks(MAX_ROWS)) {
            let mut arguments = DB::Arguments::default();
            for (row, place) in rows.iter().zip(places) {
                bind_delivery::<DB>(&mut arguments, row, *place, lease, now)?;
            }
            DB::run(conn, &self.0[rows.len() - 1], arguments).await?;
        }
        Ok(())
    }
}

/// Numbers and writes the deliveries, and marks those that must wait for their key. `read` reads key, target,
/// seq and pending of lines.
pub(crate) async fn append<DB: Backend>(
    conn: &mut DB::Connection,
    planned: &mut [Planned],
    also: Option<Line>,
    lease: Duration,
    (inserts, read): (&Inserts, &Statement),
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<()> {
    let mut lines = Lines::of(planned);
    let mut places = vec![None; planned.len()];
    if !lines.is_empty() {
        if let Some(line) = also {
            lines.add(line, 0);
        }
        places = number::<DB>(conn, planned, &lines, read, terms).await?;
    }
    inserts.write::<DB>(conn, planned, &places, lease, terms.now).await
}

/// Takes the places of the deliveries in their lines.
async fn number<DB: Backend>(
    conn: &mut DB::Connection,
    planned: &mut [Planned],
    lines: &Lines,
    read: &Statement,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Vec<Option<i64>>> {
    lines::raise::<DB>(conn, lines, terms).await?;
    let places = lines.place(planned);
    let rows = fetch::<DB>(conn, read, &Values::list("line", &lines.list()), terms.now).await?;
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
