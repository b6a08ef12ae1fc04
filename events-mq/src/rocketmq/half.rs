//! Messages that their broker has stored and does not show: how they are stored, and how it is told what became of their transaction.

use super::link::Link;
use super::message::{Half, Outgoing};
use super::request::{Answer, Request, code};
use super::transport::Shared;
use crate::failure::Failure;
use events_core::{BoxFuture, DeliveryError, Envelope, Prepared, TransactionId};
use futures_util::{StreamExt, stream};
use std::sync::Arc;

/// How many messages of a transaction are stored, or ended, at the same time.
const IN_FLIGHT: usize = 64;
/// What an end means, as the protocol has it.
const COMMIT: i32 = 8;
const ROLLBACK: i32 = 12;

/// One message that is stored and not shown.
#[derive(Clone, Debug)]
struct Place {
    /// The broker that has it.
    broker: Arc<str>,
    broker_name: Arc<str>,
    /// Its place among all that are not shown, and in everything that the broker has stored.
    offset: i64,
    log_offset: i64,
    id: String,
}

/// All messages of a transaction.
pub(super) struct Halves {
    shared: Arc<Shared>,
    group: Arc<str>,
    places: Vec<Place>,
}

/// Stores all events, or none.
pub(super) async fn store(
    shared: &Arc<Shared>,
    group: &Arc<str>,
    transaction: TransactionId,
    batch: &[Arc<Envelope>],
) -> Result<Halves, Failure> {
    let queues = shared.queues().await?;
    let id = transaction.to_string();
    let half = Half { group, transaction: &id };
    let link = &shared.link;
    // Whatever no broker would take is known before anything is stored.
    let mut requests = Vec::with_capacity(batch.len());
    for envelope in batch {
        let queue = shared.queue(envelope, &queues);
        let message = Outgoing::half(envelope, link.settings().max_message_size, &half).map_err(Failure::hopeless)?;
        requests.push((Arc::clone(envelope), queue.clone(), message.request(group, &link.settings().topic, queue)));
    }
    let storing = requests.into_iter().map(|(envelope, queue, request)| async move {
        let answer = shared.deliver(&envelope, &queue, request).await?;
        place(link, &envelope, &queue, &answer)
    });
    let stored: Vec<Result<Place, Failure>> = stream::iter(storing).buffered(IN_FLIGHT).collect().await;
    let mut failure = None;
    let mut halves = Halves { shared: Arc::clone(shared), group: Arc::clone(group), places: Vec::with_capacity(stored.len()) };
    for stored in stored {
        match stored {
            Ok(place) => halves.places.push(place),
            Err(error) => failure = Some(error),
        }
    }
    let Some(failure) = failure else { return Ok(halves) };
    // The broker would ask, but that takes time.
    if let Err(error) = halves.end(ROLLBACK).await {
        tracing::debug!(%transaction, error = error.text(), "a part of a transaction could not be forgotten; its broker asks");
    }
    Err(failure)
}

/// Where a message was stored, as the broker's answer has it.
fn place(link: &Link, envelope: &Envelope, queue: &super::route::Queue, answer: &Answer) -> Result<Place, Failure> {
    // Address and port of the broker, and then the place: 16 digits.
    let log_offset = answer.text("msgId").and_then(|id| {
        let digits = id.len().checked_sub(16)?;
        i64::from_str_radix(id.get(digits..)?, 16).ok()
    });
    match (answer.number("queueOffset"), log_offset) {
        (Some(offset), Some(log_offset)) => Ok(Place {
            broker: Arc::clone(&queue.address),
            broker_name: Arc::clone(&queue.broker),
            offset,
            log_offset,
            id: envelope.id.to_string(),
        }),
        _ => Err(link.away(&queue.address, "it stored an event, and did not say where")),
    }
}

impl Halves {
    /// Tells the brokers. All are told, whatever becomes of some.
    async fn end(&self, how: i32) -> Result<(), Failure> {
        let ending = self.places.iter().cloned().map(|place| async move { self.end_one(&place, how).await });
        let ended: Vec<Result<(), Failure>> = stream::iter(ending).buffer_unordered(IN_FLIGHT).collect().await;
        ended.into_iter().collect()
    }

    async fn end_one(&self, place: &Place, how: i32) -> Result<(), Failure> {
        let link = &self.shared.link;
        let request = Request::new(code::END_TRANSACTION)
            .with("topic", &link.settings().topic)
            .with("producerGroup", &self.group)
            .with("tranStateTableOffset", place.offset)
            .with("commitLogOffset", place.log_offset)
            .with("commitOrRollback", how)
            .with("fromTransactionCheck", false)
            .with("msgId", &place.id)
            .with("transactionId", &place.id)
            .with("bname", &place.broker_name);
        // Other clients do not wait for the answer. But it may be a refusal.
        let answer = link.ask(&place.broker, request).await?;
        if answer.is_success() { Ok(()) } else { Err(link.refused(&place.broker, "end a transaction now (it asks later)", &answer)) }
    }
}

impl Prepared for Halves {
    fn confirm(self: Box<Self>) -> BoxFuture<'static, Result<(), DeliveryError>> {
        Box::pin(async move { self.end(COMMIT).await.map_err(|failure| failure.for_delivery()) })
    }

    fn cancel(self: Box<Self>) -> BoxFuture<'static, Result<(), DeliveryError>> {
        Box::pin(async move { self.end(ROLLBACK).await.map_err(|failure| failure.for_delivery()) })
    }
}
