//! Writes the deliveries of a unit of work, just before COMMIT, in one trip.

use crate::backend::{Backend, fetch, run};
use crate::lines::{Line, Lines};
use crate::postgres::Terms;
use crate::values::{Column, List, Values};
use events_core::{Planned, millis_of};
use sqlx::Postgres;
use sqlx::postgres::PgConnection;
use std::time::Duration;

pub(crate) async fn append(
    conn: &mut PgConnection,
    planned: &mut [Planned],
    also: Option<Line>,
    lease: Duration,
    terms: Terms<'_>,
) -> sqlx::Result<()> {
    let mut lines = Lines::of(planned);
    if lines.is_empty() {
        let rows = rows(planned, lease)?;
        return run::<Postgres>(conn, &terms.own.append, &Values::list("row", &rows), terms.now).await.map(drop);
    }
    if let Some(line) = also {
        lines.add(line, 0);
    }
    let places = lines.place(planned);
    let rows = rows(planned, lease)?
        .column("key", Column::Texts(planned.iter().map(|row| row.delivery().envelope.key.clone()).collect()))
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

/// The rows of one INSERT, column by column.
fn rows(planned: &[Planned], lease: Duration) -> sqlx::Result<List> {
    let deliveries = || planned.iter().map(Planned::delivery);
    let envelopes = || deliveries().map(|delivery| &*delivery.envelope);
    let headers = envelopes().map(|envelope| serde_json::to_string(&envelope.headers)).collect::<Result<Vec<_>, _>>();
    // NULL times anything is NULL: that is how a row waits for its key, or has no delay.
    let visible_in = planned.iter().map(|row| {
        let delay = millis_of(row.delay());
        (!row.waits_for_key()).then(|| if row.is_leased() { millis_of(lease) } else { delay })
    });
    let delay = planned.iter().map(|row| Some(millis_of(row.delay())).filter(|delay| *delay > 0));
    let token = planned.iter().map(|row| row.is_leased().then_some(row.delivery().lease.token.0));
    Ok(List::default()
        .ids("id", deliveries().map(|delivery| delivery.lease.id.0))
        .ids("event_id", envelopes().map(|envelope| envelope.id.0))
        .texts("target", deliveries().map(|delivery| &*delivery.target))
        .texts("topic", envelopes().map(|envelope| &*envelope.topic))
        .ints("version", envelopes().map(|envelope| i64::from(envelope.version)))
        .column("payload", Column::Bytes(envelopes().map(|envelope| envelope.payload.to_vec()).collect()))
        .texts("content_type", envelopes().map(|envelope| &*envelope.content_type))
        .texts("source", envelopes().map(|envelope| &*envelope.source))
        .texts("headers", headers.map_err(|error| sqlx::Error::Encode(error.into()))?)
        .column("occurred_at", Column::Published(envelopes().map(|envelope| envelope.occurred_at).collect()))
        .column("visible_in", Column::Ints(visible_in.collect()))
        .column("delay", Column::Ints(delay.collect()))
        .column("lease_token", Column::Ids(token.collect())))
}
