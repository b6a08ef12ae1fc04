//! Sends events to a receiver, each by a request of its own.

use super::answer::judge;
use super::builder::{Settings, WebhookBuilder};
use super::reach::Refused;
use super::{json, signature::Secrets, target::Target};
use crate::percent;
use async_trait::async_trait;
use events_core::{Backoff, BoxError, DeliveryError, Envelope, RetryPolicy, Transport};
use futures_util::{StreamExt, stream};
use reqwest::{Client, RequestBuilder, header};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP};
use std::error::Error as StdError;
use std::time::{Duration, SystemTime};
use std::{fmt, sync::Arc};

/// Headers that instrumented services read.
const W3C: [&str; 2] = ["traceparent", "tracestate"];

/// A URL as a transport. Clones share its connections.
///
/// An event is sent when the receiver has answered 2xx. See the [module](crate::webhook) for what goes over the wire.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use events_mq::webhook::Webhook;
///
/// let webhook = Webhook::builder("https://shop.example/webhooks").secret(std::env::var("SHOP_SECRET")?).build()?;
/// // Outbox::builder(pool).transport(webhook) ..
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Webhook(Arc<Shared>);

struct Shared {
    client: Client,
    target: Target,
    secrets: Secrets,
    settings: Settings,
}

impl Webhook {
    /// How long to wait between attempts, if nothing else is said: 15 s, 1 min, 10 min, 1 h, 6 h.
    pub const SCHEDULE: &'static [Duration] = &[
        Duration::from_secs(15),
        Duration::from_secs(60),
        Duration::from_secs(10 * 60),
        Duration::from_secs(60 * 60),
        Duration::from_secs(6 * 60 * 60),
    ];

    /// Six attempts in a little more than seven hours, with [`SCHEDULE`](Self::SCHEDULE) between them, then to the dead letters.
    ///
    /// ```
    /// use events_core::{DeadLetterPolicy, Transport};
    /// use events_mq::webhook::Webhook;
    /// use std::time::Duration;
    ///
    /// assert_eq!(Webhook::schedule().delay_after(5), Some(Duration::from_secs(6 * 60 * 60)));
    /// assert_eq!(Webhook::schedule().delay_after(6), None);
    ///
    /// // Every webhook has it. Another one, or a change of it:
    /// let strict = Webhook::schedule().dead_letters(DeadLetterPolicy::BlockKey);
    /// let webhook = Webhook::builder("https://shop.example/webhooks").unsigned().retry(strict.clone()).build()?;
    /// assert_eq!(webhook.retry(), Some(strict));
    /// # Ok::<(), events_mq::ConnectError>(())
    /// ```
    #[must_use]
    pub fn schedule() -> RetryPolicy {
        const ATTEMPTS: u32 = 6;
        const { assert!(Webhook::SCHEDULE.len() + 1 == ATTEMPTS as usize) };
        RetryPolicy::default().attempts(ATTEMPTS).backoff(Backoff::Schedule(Self::SCHEDULE))
    }

    /// Options for a webhook at `https://host/path`. A user and a password in the URL are sent as Basic authentication.
    pub fn builder(url: &str) -> WebhookBuilder {
        WebhookBuilder::new(url)
    }

    pub(super) fn new(client: Client, target: Target, secrets: Secrets, settings: Settings) -> Self {
        Self(Arc::new(Shared { client, target, secrets, settings }))
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { target, secrets, settings, .. } = &*self.0;
        f.debug_struct("Webhook").field("target", target).field("secrets", secrets).field("settings", settings).finish()
    }
}

#[async_trait]
impl Transport for Webhook {
    fn name(&self) -> &str {
        &self.0.settings.name
    }

    /// One: an event is settled as soon as its receiver has answered, and waits for no other.
    fn max_batch(&self) -> usize {
        1
    }

    fn concurrency(&self) -> usize {
        self.0.settings.concurrency
    }

    fn retry(&self) -> Option<RetryPolicy> {
        Some(self.0.settings.retry.clone())
    }

    async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>> {
        let requests: Vec<_> = batch.iter().enumerate().map(|(n, envelope)| self.0.numbered(n, envelope)).collect();
        let mut results: Vec<_> = stream::iter(requests).buffer_unordered(self.0.settings.concurrency).collect().await;
        results.sort_unstable_by_key(|(n, _)| *n);
        results.into_iter().map(|(_, result)| result).collect()
    }
}

impl Shared {
    async fn numbered(&self, n: usize, envelope: &Envelope) -> (usize, Result<(), DeliveryError>) {
        (n, self.deliver(envelope).await)
    }

    async fn deliver(&self, envelope: &Envelope) -> Result<(), DeliveryError> {
        match self.request(envelope)?.send().await {
            Ok(response) => judge(&self.target, envelope, response, self.settings.expected_body.as_deref()).await,
            Err(error) => Err(self.unanswered(envelope, error)),
        }
    }

    fn request(&self, envelope: &Envelope) -> Result<RequestBuilder, BoxError> {
        let body = json::to_json(envelope)?;
        let id = envelope.id.to_string();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        let signature = self.secrets.sign(&id, now.try_into()?, &body)?;
        let mut request = self
            .client
            .post(self.target.url().clone())
            .header(header::CONTENT_TYPE, json::CONTENT_TYPE)
            .header(HEADER_WEBHOOK_ID, id)
            .header(HEADER_WEBHOOK_TIMESTAMP, now)
            .body(body);
        if !self.secrets.is_empty() {
            request = request.header(HEADER_WEBHOOK_SIGNATURE, signature);
        }
        for name in W3C {
            if let Some(value) = envelope.headers.get(name) {
                request = request.header(name, percent::encode_value(value));
            }
        }
        Ok(request)
    }

    /// There is no answer. That is a failed attempt, not an outage: the schedule is long enough to outlast one.
    fn unanswered(&self, envelope: &Envelope, error: reqwest::Error) -> DeliveryError {
        let (target, id, topic) = (&self.target, envelope.id, &envelope.topic);
        let error = error.without_url();
        if let Some(refused) = causes(&error).find_map(|cause| cause.downcast_ref::<Refused>()) {
            return DeliveryError::terminal(format!("event {id} on topic `{topic}` is not sent to {target}: {refused}"));
        }
        match (error.is_connect(), error.is_timeout()) {
            (true, true) => format!("{target} cannot be reached in time").into(),
            (false, true) => format!("{target} did not answer within {:?}", self.settings.timeout).into(),
            (true, false) => format!("{target} cannot be reached: {}", told(&error)).into(),
            (false, false) => format!("{target} did not answer: {}", told(&error)).into(),
        }
    }
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause: &&'a (dyn StdError + 'static)| (*cause).source())
}

/// What lies behind an error, in one line. Many causes repeat their own.
fn told(error: &reqwest::Error) -> String {
    causes(error).map(ToString::to_string).fold(String::new(), |told, cause| match &*told {
        "" => cause,
        _ if told.contains(&cause) => told,
        _ => format!("{told}: {cause}"),
    })
}
