//! Asks a consumer for events: a request for so many of them, renewed when half have come.
//!
//! The library has such a stream too, but one cannot end it without a new request going out, and what that brings would be lost until
//! `ack_wait` is over.

use super::link::{Link, Report};
use super::transport::Shared;
use async_nats::jetstream::{AckKind, Message};
use async_nats::{StatusCode, Subscriber};
use futures_util::StreamExt;
use std::{sync::Arc, time::Duration};
use tokio::sync::broadcast;
use tokio::time::Instant;

/// How often the server says that it is still there, when it has no events. Twice as long without a word, and the consumer is opened
/// again.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// For how long the server keeps a request; then it is renewed.
const EXPIRES: Duration = Duration::from_secs(30);

pub(super) struct Pull {
    shared: Arc<Shared>,
    /// Where requests go.
    subject: String,
    /// Where events arrive; async-nats renews this subscription when it reconnects.
    inbox: String,
    arrivals: Subscriber,
    reports: broadcast::Receiver<Report>,
    prefetch: usize,
    /// How many events the server still owes us.
    requested: usize,
    heard: Instant,
}

/// Why nothing will come any more.
pub(super) struct Broken(pub(super) String);

impl Pull {
    /// Begins to listen; the first request goes out with the first [`next`](Self::next).
    pub(super) async fn open(shared: &Arc<Shared>, consumer: &str, prefetch: usize) -> Result<Self, async_nats::SubscribeError> {
        let client = shared.link.client();
        let inbox = client.new_inbox();
        Ok(Self {
            shared: Arc::clone(shared),
            subject: format!("$JS.API.CONSUMER.MSG.NEXT.{}.{consumer}", shared.settings.stream),
            arrivals: client.subscribe(inbox.clone()).await?,
            inbox,
            reports: shared.link.reports(),
            prefetch,
            requested: 0,
            heard: Instant::now(),
        })
    }

    /// The next event, as it came.
    ///
    /// # Cancel safety
    /// Cancel safe: what arrives is kept until it is returned.
    pub(super) async fn next(&mut self) -> Result<Message, Broken> {
        loop {
            if self.requested <= self.prefetch / 2 && self.link().is_up() {
                self.request().await?;
            }
            // Without a connection the library looks for one; without a request the server owes us no word.
            let silence = if self.requested > 0 { HEARTBEAT * 2 } else { EXPIRES };
            let silence = self.heard + silence;
            tokio::select! {
                biased;
                arrived = self.arrivals.next() => {
                    let Some(message) = arrived else { return Err(Broken("the connection was closed for good".to_owned())) };
                    self.heard = Instant::now();
                    match message.status {
                        None | Some(StatusCode::OK) => {
                            self.requested = self.requested.saturating_sub(1);
                            return Ok(Message { message, context: self.shared.link.jetstream().clone() });
                        }
                        Some(status) => self.hear(status, &message)?,
                    }
                }
                report = self.reports.recv() => match report {
                    // Whether the server still has the request nobody knows; asking again does no harm.
                    Ok(Report::Lost | Report::Restored) => self.forget_requests(),
                    Err(broadcast::error::RecvError::Lagged(_)) => self.forget_requests(),
                    Err(broadcast::error::RecvError::Closed) => return Err(Broken("the connection was closed for good".to_owned())),
                    Ok(Report::Refused(subject)) if subject == self.subject => {
                        return Err(Broken(format!("the server does not let this user publish to `{subject}`; grant it")));
                    }
                    Ok(Report::Refused(_)) => {}
                },
                () = tokio::time::sleep_until(silence) => {
                    if self.requested > 0 {
                        return Err(Broken(format!("the server said nothing for {:?}", HEARTBEAT * 2)));
                    }
                    self.heard = Instant::now();
                }
            }
        }
    }

    /// Ends it, and tells the server that what has arrived and was not handed out can go to others.
    pub(super) async fn give_back(mut self) {
        if !self.link().is_up() {
            // Nobody to tell; the server finds out by itself.
            return;
        }
        let limit = self.shared.settings.ack_timeout;
        let told = tokio::time::timeout(limit, async {
            // First no more may come: what is given back would come here again.
            if self.arrivals.drain().await.is_err() {
                return;
            }
            while let Some(message) = self.arrivals.next().await {
                if message.status.is_none_or(|status| status == StatusCode::OK) {
                    let message = Message { message, context: self.shared.link.jetstream().clone() };
                    if message.ack_with(AckKind::Nak(None)).await.is_err() {
                        return;
                    }
                }
            }
        });
        if told.await.is_err() {
            tracing::debug!("not everything could be given back; the server delivers it again after `ack_wait`");
        }
    }

    fn link(&self) -> &Link {
        &self.shared.link
    }

    fn forget_requests(&mut self) {
        self.requested = 0;
        self.heard = Instant::now();
    }

    async fn request(&mut self) -> Result<(), Broken> {
        let batch = self.prefetch - self.requested.min(self.prefetch - 1);
        let request = format!(r#"{{"batch":{batch},"expires":{},"idle_heartbeat":{}}}"#, EXPIRES.as_nanos(), HEARTBEAT.as_nanos());
        let sent = self.link().client().publish_with_reply(self.subject.clone(), self.inbox.clone(), request.into()).await;
        sent.map_err(|error| Broken(format!("the consumer cannot be asked: {error}")))?;
        // No await in between: a request that went out is counted.
        self.requested += batch;
        self.heard = Instant::now();
        Ok(())
    }

    /// What the server says about requests.
    fn hear(&mut self, status: StatusCode, message: &async_nats::Message) -> Result<(), Broken> {
        let said = message.description.as_deref().unwrap_or_default();
        match status {
            StatusCode::IDLE_HEARTBEAT => {}
            // A request has ended, and this many of it did not come.
            StatusCode::TIMEOUT | StatusCode::NOT_FOUND | StatusCode::REQUEST_TERMINATED if !is_fatal(said) => {
                let missing = message.headers.as_ref().and_then(|headers| headers.get("Nats-Pending-Messages"));
                let missing = missing.and_then(|count| count.as_str().parse().ok()).unwrap_or(self.requested);
                self.requested = self.requested.saturating_sub(missing);
            }
            _ => return Err(Broken(format!("the server said: {status} {said}"))),
        }
        Ok(())
    }
}

/// Whether no request will ever bring anything again.
fn is_fatal(said: &str) -> bool {
    said.starts_with("Consumer") || said.starts_with("Exceeded Max") || said.starts_with("Bad Request")
}
