//! A service's ends of the wire: where it sends its events, and where it hears those of others.

use crate::broker::{Broker, Consumer, Place};
use anyhow::bail;
use async_trait::async_trait;
use events_core::{Backoff, Received, RetryPolicy, Subscription, Transport};
use std::time::Duration;

/// Both ends of it.
pub struct Wire {
    /// Where the service sends.
    pub transport: Box<dyn Transport>,
    /// What it hears.
    pub subscription: Box<dyn Subscription>,
}

/// How often examples try again. A demonstration must not take half an hour to recover, and must not give up while it is killed again
/// and again, so it is quicker and more patient than the defaults.
#[must_use]
pub fn retry() -> RetryPolicy {
    RetryPolicy::default().attempts(1_000).backoff(Backoff::Exponential { first: Duration::from_millis(50), max: Duration::from_secs(2) })
}

impl Wire {
    /// Connects a service to the broker as the consumer `me`. `others` must miss nothing that this service sends, even if they have never
    /// been there.
    ///
    /// # Errors
    /// The broker cannot be reached, or this program was built without it.
    pub async fn open(broker: &Broker, me: &Consumer, others: &[Consumer]) -> anyhow::Result<Self> {
        match &broker.place {
            Place::InProcess(transport) => Ok(Self::between(transport.clone(), transport.subscribe(me.topics))),
            Place::At(url) => connect(broker, url, me, others).await,
        }
    }

    fn between(transport: impl Transport, subscription: impl Subscription + 'static) -> Self {
        Self { transport: Box::new(transport), subscription: Box::new(subscription) }
    }
}

/// One line per broker: the schemes of its URLs, its cargo feature, and how to get both ends.
macro_rules! brokers {
    ($($($scheme:literal)|+, $feature:tt: |$broker:ident, $url:ident, $me:ident, $others:ident| $connect:block)+) => {
        #[cfg_attr(not(any($(feature = $feature),+)), expect(unused_variables, reason = "no broker is built in"))]
        #[allow(unused_parens, reason = "where a broker has several schemes, they are needed")]
        async fn connect(broker: &Broker, url: &str, me: &Consumer, others: &[Consumer]) -> anyhow::Result<Wire> {
            // Only the scheme is repeated in errors: what follows may hold a password.
            match url.split_once("://").map_or("", |(scheme, _)| scheme) {
                $(
                    #[cfg(feature = $feature)]
                    $($scheme)|+ => {
                        let ($broker, $url, $me, $others) = (broker, url, me, others);
                        $connect
                    }
                    #[cfg(not(feature = $feature))]
                    scheme @ ($($scheme)|+) => bail!(
                        "this program was built without `{scheme}://`; run `cargo run -p {} --features {} -- --broker {scheme}://..`",
                        broker.program, $feature
                    ),
                )+
                _ => bail!("`--broker` takes a URL that begins with {}", [$($(concat!("`", $scheme, "://`")),+),+].join(", ")),
            }
        }
    };
}

brokers! {
    "nats" | "tls", "nats": |broker, url, me, _others| {
        let nats = events_mq::nats::Nats::connect(url).await?;
        let consumer = nats.subscribe(&me.name).topics(me.topics).retry(retry()).ack_wait(broker.ack_wait);
        Ok(Wire::between(nats.clone(), consumer.open().await?))
    }
    "redis" | "rediss", "redis": |broker, url, me, _others| {
        let redis = events_mq::redis::RedisStreams::connect(url).await?;
        let consumer = redis.subscribe(&me.name).topics(me.topics).retry(retry()).ack_wait(broker.ack_wait);
        Ok(Wire::between(redis.clone(), consumer.open().await?))
    }
    "kafka" | "kafkas", "kafka": |broker, url, me, _others| {
        let kafka = events_mq::kafka::Kafka::builder(url).replication(1).connect().await?;
        let consumer = kafka.subscribe(&me.name).topics(me.topics).retry(retry()).ack_wait(broker.ack_wait);
        Ok(Wire::between(kafka.clone(), consumer.open().await?))
    }
    "amqp" | "amqps", "rabbitmq": |_broker, url, me, others| {
        // RabbitMQ keeps events in queues only, so those of all consumers are made before the first event is sent.
        let builder = others.iter().chain([me]).fold(events_mq::rabbitmq::RabbitMq::builder(url), |builder, consumer| {
            builder.queue(&consumer.name, consumer.topics)
        });
        let rabbit = builder.connect().await?;
        Ok(Wire::between(rabbit.clone(), rabbit.subscribe(&me.name).topics(me.topics).retry(retry()).open().await?))
    }
    "rocketmq", "rocketmq": |broker, url, me, _others| {
        // It selects by whole topics and knows no patterns; what nobody wants is acknowledged.
        let rocketmq = events_mq::rocketmq::RocketMq::connect(url).await?;
        let consumer = rocketmq.subscribe(&me.name).retry(retry()).ack_wait(broker.ack_wait);
        Ok(Wire::between(rocketmq.clone(), consumer.open().await?))
    }
    "http" | "https", "webhook": |_broker, url, _me, others| {
        if !others.is_empty() {
            bail!("a webhook has one receiver, but here several services send and hear; name a broker, such as `nats://127.0.0.1:4222`");
        }
        let (webhook, subscription) = crate::receiver::open(url).await?;
        Ok(Wire::between(webhook, subscription))
    }
}

/// The events of one publisher, where the broker is shared with others: theirs are acknowledged, and that is all.
pub struct OnlyFrom {
    source: String,
    inner: Box<dyn Subscription>,
}

impl OnlyFrom {
    /// What `inner` hears from `source`.
    #[must_use]
    pub fn new(source: impl Into<String>, inner: Box<dyn Subscription>) -> Self {
        Self { source: source.into(), inner }
    }
}

#[async_trait]
impl Subscription for OnlyFrom {
    /// # Cancel safety
    /// Cancel safe: an event of others whose acknowledgement was cancelled comes again, and is acknowledged then.
    async fn next(&mut self) -> Option<Received> {
        loop {
            let received = self.inner.next().await?;
            if *received.envelope().source == *self.source {
                return Some(received);
            }
            if let Err(error) = received.ack().await {
                tracing::debug!(%error, "an event of others could not be acknowledged; it will come again");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumer() -> Consumer {
        Consumer { name: "ticketing".into(), topics: "order.*" }
    }

    async fn said(url: &str) -> String {
        let opened = Wire::open(&Broker::of(Some(url), "order-service"), &consumer(), &[]).await;
        opened.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[tokio::test]
    async fn an_unknown_broker_is_refused_without_its_password() {
        for url in ["carrier-pigeon://shop:s3cret@a", "shop:s3cret@a", ""] {
            let said = said(url).await;
            assert!(said.contains("`nats://`") && said.contains("`https://`") && !said.contains("s3cret"), "{said}");
        }
    }

    #[cfg(not(feature = "nats"))]
    #[tokio::test]
    async fn a_broker_that_is_not_built_in_is_refused_with_the_line_that_builds_it_in() {
        let said = said("nats://shop:s3cret@a").await;
        assert!(said.contains("`cargo run -p order-service --features nats -- --broker nats://..`") && !said.contains("s3cret"), "{said}");
    }

    #[cfg(feature = "webhook")]
    #[tokio::test]
    async fn a_webhook_is_refused_where_several_services_hear() {
        let broker = Broker::of(Some("http://127.0.0.1:0/events"), "bank-transfer");
        let error = Wire::open(&broker, &consumer(), &[consumer()]).await.err().map(|error| error.to_string());
        assert!(error.as_deref().is_some_and(|error| error.contains("one receiver")), "{error:?}");
    }
}
