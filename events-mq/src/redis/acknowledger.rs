//! Tells the server what was dealt with, many events at once: each round trip, and each write to the disk, would otherwise hold up who
//! handles events one by one.

use super::{NAME, group::Plan, pending::Pending, transport::Shared};
use crate::failure::Failure;
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// How many acknowledgements may wait to be sent; whoever has more of them waits.
const WAITING: usize = 1_024;
/// The pause before it is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// Dropped, it tells what it still has to tell.
pub(super) struct Acknowledger {
    orders: mpsc::Sender<Order>,
}

enum Order {
    Acknowledge(String),
    /// To say when everything before it was told.
    Report(oneshot::Sender<()>),
}

impl Acknowledger {
    pub(super) fn start(shared: Arc<Shared>, plan: Plan) -> Self {
        let (orders, received) = mpsc::channel(WAITING);
        tokio::spawn(work(shared, plan, received));
        Self { orders }
    }

    /// This entry was dealt with.
    pub(super) async fn acknowledge(&self, id: String) -> Result<(), Failure> {
        let sent = self.orders.send(Order::Acknowledge(id)).await;
        sent.map_err(|_| Failure::passing(format!("nobody tells {NAME} any more what was dealt with")))
    }

    /// Waits until the server was told of everything so far, or cannot be told.
    pub(super) async fn finish(&self) {
        let (told, report) = oneshot::channel();
        if self.orders.send(Order::Report(told)).await.is_ok() {
            // Dropped unsent, there is nobody to wait for either.
            let _ = report.await;
        }
    }
}

async fn work(shared: Arc<Shared>, plan: Plan, mut received: mpsc::Receiver<Order>) {
    let mut orders = Vec::with_capacity(WAITING);
    // What comes while the server is being told goes out together with the next.
    while received.recv_many(&mut orders, WAITING).await > 0 {
        let (mut ids, mut reports) = (Vec::new(), Vec::new());
        for order in orders.drain(..) {
            match order {
                Order::Acknowledge(id) => ids.push(id),
                Order::Report(report) => reports.push(report),
            }
        }
        tell(&shared, &plan, &ids).await;
        for report in reports {
            // Who does not wait any more need not be told.
            let _ = report.send(());
        }
    }
}

/// Tries until it works, or until others have taken over the events anyway.
async fn tell(shared: &Shared, plan: &Plan, ids: &[String]) {
    if ids.is_empty() {
        return;
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let begun = Instant::now();
    while let Err(failure) = (Pending { shared, plan }).acknowledge(&ids).await {
        if begun.elapsed() >= plan.ack_wait {
            let (group, events, error) = (&plan.group, ids.len(), failure.text());
            tracing::warn!(group, events, error, "{NAME} cannot be told what was dealt with; it comes again");
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
