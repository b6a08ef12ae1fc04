//! Asks a consumer for events: a request for so many of them, renewed when half have come.
//!
//! The library has such a stream too, but one cannot end it without a new request going out, and what that brings would be lost until
//! `ack_wait` is over.

use super::link::{Link, Report};
use super::transport::Shared;
use crate::receiving::{Broken, Consumer, Opening};
use async_nats::jetstream::{AckKind, Context, Message, consumer::pull::Config};
use async_nats::{Client, StatusCode, Subscriber};
use futures_util::{FutureExt, StreamExt};
use std::{sync::Arc, time::Duration};
use tokio::sync::broadcast;
use tokio::task::unconstrained;
use tokio::time::Instant;

/// How often the server says that it is still there, when it has no events. Twice as long without a word, and the consumer is opened
/// again.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// For how long the server keeps a request; then it is renewed.
const EXPIRES: Duration = Duration::from_secs(30);

pub(super) struct Pull {
    shared: Arc<Shared>,
    client: Client,
    jetstream: Context,
    consumer: String,
    /// Where requests go.
    subject: String,
    /// Where events arrive.
    inbox: String,
    arrivals: Subscriber,
    reports: broadcast::Receiver<Report>,
    prefetch: usize,
    /// How many events the server still owes us.
    requested: usize,
    heard: Instant,
    /// So many more events are asked for one by one. A message that breaks the connection takes with it all that come after it in the
    /// same request; and they would all be due again at the same time, for ever.
    careful: usize,
}

impl Pull {
    /// Begins to listen; the first request goes out with the first [`next`](Self::next).
    pub(super) async fn open(
        shared: &Arc<Shared>,
        consumer: &str,
        prefetch: usize,
        state: Opening,
    ) -> Result<Self, async_nats::SubscribeError> {
        let jetstream = shared.link.jetstream();
        let client = jetstream.client();
        let inbox = client.new_inbox();
        Ok(Self {
            shared: Arc::clone(shared),
            consumer: consumer.to_owned(),
            subject: format!("$JS.API.CONSUMER.MSG.NEXT.{}.{consumer}", shared.settings.stream),
            arrivals: client.subscribe(inbox.clone()).await?,
            inbox,
            client,
            jetstream,
            reports: shared.link.reports(),
            prefetch,
            requested: 0,
            heard: Instant::now(),
            careful: if state == Opening::Again { prefetch } else { 0 },
        })
    }

    /// Whether more may come.
    async fn collect(&mut self, held: &mut Vec<Message>) -> bool {
        let info = self.jetstream.get_consumer_from_stream::<Config, _, _>(&self.consumer, &self.shared.settings.stream).await;
        let before = held.len();
        while let Some(Some(message)) = unconstrained(self.arrivals.next()).now_or_never() {
            if message.status.is_none_or(|status| status == StatusCode::OK) {
                self.requested = self.requested.saturating_sub(1);
                held.push(Message { message, context: self.jetstream.clone() });
            }
        }
        let waiting = info.is_ok_and(|consumer| consumer.cached_info().num_pending > 0);
        held.len() > before || (waiting && self.requested > 0)
    }

    fn link(&self) -> &Link {
        &self.shared.link
    }

    /// How many events may be outstanding when more are asked for, and up to how many then.
    fn window(&self) -> (usize, usize) {
        if self.careful > 0 { (0, 1) } else { (self.prefetch / 2, self.prefetch) }
    }

    fn lost(&self) -> Broken {
        if self.careful > 0 && self.requested > 0 {
            tracing::warn!(
                stream = self.shared.settings.stream,
                asked = self.subject,
                "the connection was lost again while a single event was asked for; if that goes on, the stream holds a message with malformed \
                 headers, which the client library cannot read: find and delete it"
            );
        }
        Broken("the connection was lost".to_owned())
    }

    async fn request(&mut self, batch: usize) -> Result<(), Broken> {
        let request = format!(r#"{{"batch":{batch},"expires":{},"idle_heartbeat":{}}}"#, EXPIRES.as_nanos(), HEARTBEAT.as_nanos());
        let sent = self.client.publish_with_reply(self.subject.clone(), self.inbox.clone(), request.into()).await;
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

impl Consumer for Pull {
    type Message = Message;

    async fn next(&mut self) -> Result<Message, Broken> {
        loop {
            let (low, high) = self.window();
            if self.requested <= low && self.link().is_up() {
                self.request(high - self.requested).await?;
            }
            // Without a request the server owes us no word.
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
                            self.careful = self.careful.saturating_sub(1);
                            return Ok(Message { message, context: self.jetstream.clone() });
                        }
                        Some(status) => self.hear(status, &message)?,
                    }
                }
                // Last, so that what has arrived is handed out first.
                report = self.reports.recv() => match report {
                    Ok(Report::Lost) | Err(broadcast::error::RecvError::Lagged(_)) => return Err(self.lost()),
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
    async fn give_back(mut self) {
        if !self.link().is_up() {
            // Nobody to tell; the server finds out by itself.
            return;
        }
        let told = tokio::time::timeout(self.shared.settings.ack_timeout, async {
            let mut held = Vec::new();
            // A request cannot be taken back, and what comes when nobody listens any more is lost until `ack_wait` is over. So we listen
            // until nothing more is on its way: what the server sent before it answers is here when its answer is.
            while self.collect(&mut held).await {}
            // Before the answers go out, because what is given back at once would come here again.
            drop(self.arrivals);
            for message in held {
                if message.ack_with(AckKind::Nak(None)).await.is_err() {
                    return;
                }
            }
            // This may be the last that holds the connection, and the library closes one without sending what is still to be sent.
            let _ = self.client.flush().await;
        });
        if told.await.is_err() {
            tracing::debug!("not everything could be given back; the server delivers it again after `ack_wait`");
        }
    }
}

/// Whether no request will ever bring anything again.
fn is_fatal(said: &str) -> bool {
    said.starts_with("Consumer") || said.starts_with("Exceeded Max") || said.starts_with("Bad Request")
}
