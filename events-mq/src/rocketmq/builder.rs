//! Everything that can be said about the way to RocketMQ.

use super::{NAME, RocketMq, link::Link, names};
use crate::address::{Address, Form};
use crate::{ConnectError, Topology, options};
use std::time::Duration;

const FORM: Form = Form {
    broker: NAME,
    schemes: &[("rocketmq", false, 9876), ("rocketmqs", true, 9876)],
    example: "rocketmq://accesskey:secret@nameserver:9876",
};
/// What the servers take at most, as they come.
const MAX_MESSAGE_SIZE: usize = 4 * 1024 * 1024;

/// Options of [`RocketMq`]; begin with [`RocketMq::builder`].
///
/// ```no_run
/// # async fn example() -> Result<(), events_mq::ConnectError> {
/// use events_mq::{Topology, rocketmq::RocketMq};
/// use std::time::Duration;
///
/// let rocketmq = RocketMq::builder("rocketmq://namesrv-1.example,namesrv-2.example:9876")
///     .access_key_and_secret("shopservice", std::env::var("ROCKETMQ_SECRET").unwrap_or_default())
///     .topic("SHOP")
///     .topology(Topology::Check)
///     .ack_timeout(Duration::from_secs(3))
///     .connect()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use]
pub struct RocketMqBuilder {
    address: Result<Address, ConnectError>,
    settings: Unaddressed,
}

/// What is settled when the connection is made.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) address: Address,
    /// The same as text, without credentials.
    pub(super) address_text: String,
    rest: Unaddressed,
}

#[derive(Clone, Debug)]
pub(super) struct Unaddressed {
    pub(super) name: String,
    pub(super) topic: String,
    pub(super) queues: u16,
    pub(super) producer_group: String,
    pub(super) topology: Topology,
    pub(super) ack_timeout: Duration,
    pub(super) max_message_size: usize,
}

impl std::ops::Deref for Settings {
    type Target = Unaddressed;

    fn deref(&self) -> &Unaddressed {
        &self.rest
    }
}

impl RocketMqBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            address: Address::parse(&FORM, url),
            settings: Unaddressed {
                name: "rocketmq".to_owned(),
                topic: "EVENTS".to_owned(),
                queues: 4,
                producer_group: "events".to_owned(),
                topology: Topology::Create,
                ack_timeout: Duration::from_secs(5),
                max_message_size: MAX_MESSAGE_SIZE,
            },
        }
    }

    /// The transport's name in the outbox table and in `to = ".."`. Default `rocketmq`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// The topic of RocketMQ that stores the events of all topics. Default `EVENTS`.
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.settings.topic = topic.into();
        self
    }

    /// How many queues a topic made here has on each broker. Default 4. As many subscribers of one group can share its events.
    pub fn queues(mut self, queues: u16) -> Self {
        self.settings.queues = queues;
        self
    }

    /// As which group of producers the events are sent. Default `events`.
    pub fn producer_group(mut self, group: impl Into<String>) -> Self {
        self.settings.producer_group = group.into();
        self
    }

    /// Who makes the topics. Default [`Topology::Create`].
    pub fn topology(mut self, topology: Topology) -> Self {
        self.settings.topology = topology;
        self
    }

    /// How long a confirmation or another answer of a server may take. Default 5 s. What is not confirmed in time is unavailable and sent
    /// again; keep it below the outbox's time limit for a delivery.
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.settings.ack_timeout = timeout;
        self
    }

    /// How large a payload may be, in bytes: the brokers' own `maxMessageSize`. Default 4 MiB, as theirs. A larger event is a terminal
    /// error, and is not even sent.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.settings.max_message_size = bytes;
        self
    }

    /// Who we are, instead of what the URL says.
    pub fn access_key_and_secret(mut self, access_key: impl Into<String>, secret: impl Into<String>) -> Self {
        if let Ok(address) = &mut self.address {
            (address.user, address.password) = (Some(access_key.into()), Some(secret.into()));
        }
        self
    }

    /// Shows the credentials to a broker, and makes or checks the topic.
    ///
    /// # Errors
    /// An option cannot work, nobody answers, the credentials are refused, or the topic is missing under [`Topology::Check`].
    pub async fn connect(self) -> Result<RocketMq, ConnectError> {
        let rocketmq = RocketMq::over(Link::new(self.settings()?));
        rocketmq.prepare().await?;
        Ok(rocketmq)
    }

    /// Connects when the first event is sent, so that the process starts even if the brokers are away: until they are there, events are
    /// `unavailable` and wait in the outbox, and subscriptions cannot be opened. The topic is made or checked before the first event is
    /// sent.
    ///
    /// # Errors
    /// An option cannot work. Refused credentials show in the errors of deliveries.
    pub async fn connect_in_background(self) -> Result<RocketMq, ConnectError> {
        Ok(RocketMq::over(Link::new(self.settings()?)))
    }

    fn settings(self) -> Result<Settings, ConnectError> {
        let (address, rest) = (self.address?, self.settings);
        let invalid = |option, value: String, rule| Err(options::invalid(option, value, rule));
        options::name(&rest.name)?;
        if address.tls {
            let rule = "the client library cannot be told which certificates and which cryptography to use; use `rocketmq`, and a tunnel";
            return invalid("the scheme", "`rocketmqs`".to_owned(), rule);
        }
        if address.path.as_deref().is_some_and(|path| !path.is_empty()) {
            return invalid("the path of the address", "not empty".to_owned(), "the topic belongs to the builder");
        }
        let blank = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
        if (address.user.is_some() || address.password.is_some()) && (blank(&address.user) || blank(&address.password)) {
            return invalid("the access key or its secret", "empty".to_owned(), "one is of no use without the other");
        }
        if !names::is_name(&rest.topic) {
            return invalid("`topic`", format!("{:?}", rest.topic), names::RULE);
        }
        if !names::is_name(&rest.producer_group) {
            return invalid("`producer_group`", format!("{:?}", rest.producer_group), names::RULE);
        }
        if rest.queues == 0 {
            return invalid("`queues`", "0".to_owned(), "nothing could be stored");
        }
        if rest.max_message_size == 0 {
            return invalid("`max_message_size`", "0".to_owned(), "nothing could be sent");
        }
        options::timeouts(&[("`ack_timeout`", rest.ack_timeout)])?;
        Ok(Settings { address_text: address.to_string(), address, rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let builder = RocketMq::builder("rocketmq://shop:s3cret@a").access_key_and_secret("shop", "s3cret");
        assert!(!format!("{builder:?}").contains("s3cret"));
        let builder = RocketMq::builder("rocketmq://shop:s3cret@a:b");
        assert!(!format!("{builder:?}").contains("s3cret"));
    }

    #[tokio::test]
    async fn options_that_cannot_work_are_refused_before_anything_is_sent() {
        let said = async |builder: RocketMqBuilder| builder.connect().await.unwrap_err().to_string();
        let builder = || RocketMq::builder("rocketmq://a");
        assert!(said(builder().topic("order.payok")).await.contains("`topic` is \"order.payok\""));
        assert!(said(builder().producer_group("")).await.contains("`producer_group`"));
        assert!(said(builder().queues(0)).await.contains("`queues`"));
        assert!(said(builder().max_message_size(0)).await.contains("`max_message_size`"));
        assert!(said(builder().ack_timeout(Duration::ZERO)).await.contains("`ack_timeout`"));
        assert!(said(builder().name("")).await.contains("`name`"));
        assert!(said(builder().access_key_and_secret("shop", "")).await.contains("access key"));
        assert!(said(RocketMq::builder("rocketmq://a/topic")).await.contains("path"));
        assert!(said(RocketMq::builder("rocketmqs://a")).await.contains("tunnel"));
    }
}
