//! The warehouse: packs a parcel for each order, once, and says that it is done, as often as it is asked.

use crate::events::{OrderDone, OrderPlaced};
use events_core::{DeliveryError, State, publish, subscribe};
use events_sqlx::sqlite::UnitOfWork;
use wire::Faults;

/// The same event cannot come here twice, the inbox sees to that. The same order can, as another event: its number is unique here too, and
/// whoever finds it only answers again, because the first answer may be what was lost.
///
/// `manual`, because the shop lives in this program too, and has an outbox of its own.
#[subscribe(group = "downstream", manual)]
pub(crate) async fn pack(event: OrderPlaced, State(faults): State<Faults>, uow: &mut UnitOfWork) -> Result<(), DeliveryError> {
    let OrderPlaced { order_no, quantity } = event;
    let added = sqlx::query("INSERT INTO messages (order_no, status) VALUES (?, 'done') ON CONFLICT (order_no) DO NOTHING")
        .bind(&order_no)
        .execute(uow.conn())
        .await?;
    if added.rows_affected() == 1 {
        let pack = sqlx::query("INSERT INTO parcels (order_no, quantity) VALUES (?, ?)").bind(&order_no).bind(quantity);
        pack.execute(uow.conn()).await?;
    } else {
        sqlx::query("UPDATE messages SET repeats = repeats + 1 WHERE order_no = ?").bind(&order_no).execute(uow.conn()).await?;
    }
    publish(OrderDone { order_no })?;
    Ok(faults.strike()?)
}
