//! What a careful engineer writes by hand to send events to a broker with the same client crate: all of a batch, then one confirmation each.
//! It knows no outages, no refusals and no topology; it is what a transport's speed is measured against.

mod kafka;
mod nats;
mod rabbitmq;
mod redis;
mod rocketmq;

use crate::BrokerHarness;
use events_core::Envelope;
use std::future::Future;
use std::sync::Arc;

/// A broker to which events are sent by hand.
pub trait ByHand: BrokerHarness {
    /// What is connected.
    type Client: Send + Sync;

    /// Connects, to a broker where a transport has made what it needs.
    fn client(&self) -> impl Future<Output = Self::Client> + Send;

    /// Sends a batch to where the transport would, with the same headers.
    ///
    /// # Panics
    /// Something went wrong.
    fn send(client: &Self::Client, batch: &[Arc<Envelope>]) -> impl Future<Output = ()> + Send;
}
