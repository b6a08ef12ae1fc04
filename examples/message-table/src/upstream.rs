//! The shop's handlers: what happens to an order after its transaction.

use crate::{
    events::{OrderDone, OrderOverdue, OrderPlaced},
    message, orders,
    status::Status,
};
use events_core::{DeliveryError, State, after_commit, publish, publish_in, subscribe};
use events_sqlx::sqlite::UnitOfWork;
use std::time::Duration;
use wire::Faults;

/// After how long an order that is not done is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Schedule(pub(crate) Duration);

/// The warehouse is done. It may say so more than once.
#[subscribe(group = "upstream")]
async fn close_order(event: OrderDone, State(faults): State<Faults>, uow: &mut UnitOfWork) -> Result<(), DeliveryError> {
    message::advance(uow.conn(), &event.order_no, Status::Done).await?;
    Ok(faults.strike()?)
}

/// The timer. What is done is left alone. What is not is sent once more, as another event, and looked at again later; both in the
/// transaction that settles this look, so an order that is not done always has a look ahead of it.
#[after_commit]
async fn drive_again(event: OrderOverdue, State(Schedule(overdue)): State<Schedule>, uow: &mut UnitOfWork) -> Result<(), DeliveryError> {
    let order_no = event.order_no;
    let (status, _) = message::read(uow.conn(), &order_no).await?;
    if status == Status::Done {
        return Ok(());
    }
    let quantity = orders::quantity(uow.conn(), &order_no).await?;
    message::note_driven_again(uow.conn(), &order_no).await?;
    publish(OrderPlaced { order_no: order_no.clone(), quantity })?;
    publish_in(overdue, OrderOverdue { order_no })?;
    Ok(())
}
