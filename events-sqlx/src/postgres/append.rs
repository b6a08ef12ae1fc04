//! Writes the deliveries of a unit of work, just before COMMIT, in one trip.

use crate::backend::{Backend, fetch, run};
use crate::lines::{Line, Lines};
use crate::postgres::Terms;
use crate::stored::bind_delivery;
use crate::values::{Column, List, Values};
use events_core::{LeaseToken, Planned, millis_of};
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgConnection};
use std::time::Duration;

pub(crate) async fn append(
    conn: &mut PgConnection,
    planned: &mut [Planned],
    also: Option<Line>,
    lease: Duration,
    terms: Terms<'_>,
) -> sqlx::Result<()> {
    let lines = Lines::of(planned);
    if !lines.is_empty() {
        return append_keyed(conn, planned, lines, also, lease, terms).await;
    }
    // The most common unit of work has one event for one target: arrays of one would cost the server a quarter more.
    if let [row] = &*planned {
        let mut arguments = PgArguments::default();
        bind_delivery::<Postgres>(&mut arguments, row, None, lease, terms.now)?;
        return Postgres::run(conn, &terms.own.append_one, arguments).await.map(drop);
    }
    // What is the same for all rows is given once; a second run is a matter of form.
    for rows in planned.chunk_by(|one, other| common(one) == common(other)) {
        let Some(first) = rows.first() else { continue };
        let (content_type, source, _) = common(first);
        // NULL is a delivery that is leased.
        let delays = rows.iter().map(|row| (!row.is_leased()).then(|| millis_of(row.delay())));
        let list = list(rows)?.column("delay", Column::Ints(delays.collect()));
        let values = Values::list("row", &list)
            .text("content_type", content_type)
            .text("source", source)
            .id("token", first.delivery().lease.token.0)
            .int("lease", millis_of(lease));
        run::<Postgres>(conn, &terms.own.append, &values, terms.now).await?;
    }
    Ok(())
}

/// What the deliveries of one unit of work have in common.
fn common(row: &Planned) -> (&str, &str, LeaseToken) {
    let stored = row.stored();
    (&stored.content_type, &stored.source, row.delivery().lease.token)
}

async fn append_keyed(
    conn: &mut PgConnection,
    planned: &mut [Planned],
    mut lines: Lines,
    also: Option<Line>,
    lease: Duration,
    terms: Terms<'_>,
) -> sqlx::Result<()> {
    if let Some(line) = also {
        lines.add(line, 0);
    }
    let places = lines.place(planned);
    let envelopes = || planned.iter().map(Planned::stored);
    // NULL times anything is NULL: that is how a row waits for its key, or has no delay.
    let visible_in = planned.iter().map(|row| {
        let delay = millis_of(row.delay());
        (!row.waits_for_key()).then(|| if row.is_leased() { millis_of(lease) } else { delay })
    });
    let delay = planned.iter().map(|row| Some(millis_of(row.delay())).filter(|delay| *delay > 0));
    let token = planned.iter().map(|row| row.is_leased().then_some(row.delivery().lease.token.0));
    let rows = list(planned)?
        .texts("content_type", envelopes().map(|envelope| &*envelope.content_type))
        .texts("source", envelopes().map(|envelope| &*envelope.source))
        .column("visible_in", Column::Ints(visible_in.collect()))
        .column("delay", Column::Ints(delay.collect()))
        .column("lease_token", Column::Ids(token.collect()))
        .column("key", Column::Texts(envelopes().map(|envelope| envelope.key.clone()).collect()))
        .column("events", Column::Ints(places.iter().map(|place| place.map(|place| place.events)).collect()))
        .column("behind", Column::Ints(places.iter().map(|place| place.map(|place| place.behind)).collect()));
    let lines = lines.list();
    let values = Values::list("row", &rows).and_list("line", &lines);
    for row in fetch::<Postgres>(conn, &terms.own.append_keyed, &values, terms.now).await? {
        let id = Postgres::id(&row, 0)?;
        if let Some(occupied) = planned.iter_mut().find(|planned| planned.delivery().lease.id.0 == id) {
            occupied.wait_for_key();
        }
    }
    Ok(())
}

/// What every row has of its own, column by column.
fn list(planned: &[Planned]) -> sqlx::Result<List> {
    let deliveries = || planned.iter().map(Planned::delivery);
    let envelopes = || planned.iter().map(Planned::stored);
    let headers = envelopes().map(|envelope| serde_json::to_string(&envelope.headers)).collect::<Result<Vec<_>, _>>();
    Ok(List::default()
        .ids("id", deliveries().map(|delivery| delivery.lease.id.0))
        .ids("event_id", envelopes().map(|envelope| envelope.id.0))
        .texts("target", deliveries().map(|delivery| &*delivery.target))
        .texts("topic", envelopes().map(|envelope| &*envelope.topic))
        .ints("version", envelopes().map(|envelope| i64::from(envelope.version)))
        .column("payload", Column::Bytes(envelopes().map(|envelope| envelope.payload.to_vec()).collect()))
        .texts("headers", headers.map_err(|error| sqlx::Error::Encode(error.into()))?)
        .column("occurred_at", Column::Published(envelopes().map(|envelope| envelope.occurred_at).collect())))
}
