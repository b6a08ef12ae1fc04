//! Everything that can be said about a connection to Kafka.

use super::{FORM, Kafka, SaslMechanism, topic, topic::Topics};
use crate::{ConnectError, Topology, address::Address, options, tls::Tls};
use std::{path::PathBuf, time::Duration};

/// Options of [`Kafka`]; begin with [`Kafka::builder`].
///
/// ```no_run
/// # async fn example() -> Result<(), events_mq::ConnectError> {
/// use events_mq::kafka::{Kafka, SaslMechanism};
/// use std::time::Duration;
///
/// let kafka = Kafka::builder("kafka://kafka-1.example:9092,kafka-2.example:9092")
///     .user_and_password("shop", std::env::var("KAFKA_PASSWORD").unwrap_or_default())
///     .sasl(SaslMechanism::Plain)
///     .prefix("shop")
///     .partitions(12)
///     .replication(3)
///     .ack_timeout(Duration::from_secs(3))
///     .connect()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use]
pub struct KafkaBuilder {
    address: Result<Address, ConnectError>,
    settings: Unaddressed,
}

/// What is settled when the connection is made.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) address: Address,
    /// The same as text, without credentials.
    pub(super) address_text: String,
    pub(super) topics: Topics,
    rest: Unaddressed,
}

#[derive(Clone, Debug)]
pub(super) struct Unaddressed {
    pub(super) name: String,
    prefix: String,
    pub(super) topology: Topology,
    pub(super) ack_timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) partitions: i32,
    /// `None` for what the broker has as its default.
    pub(super) replication: Option<i32>,
    pub(super) max_message_bytes: usize,
    pub(super) sasl: SaslMechanism,
    pub(super) tls: Tls,
}

impl std::ops::Deref for Settings {
    type Target = Unaddressed;

    fn deref(&self) -> &Unaddressed {
        &self.rest
    }
}

impl KafkaBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            address: Address::parse(&FORM, url),
            settings: Unaddressed {
                name: "kafka".to_owned(),
                prefix: "events".to_owned(),
                topology: Topology::Create,
                ack_timeout: Duration::from_secs(5),
                connect_timeout: Duration::from_secs(5),
                partitions: 6,
                replication: None,
                max_message_bytes: 1_000_000,
                sasl: SaslMechanism::Plain,
                tls: Tls::default(),
            },
        }
    }

    /// The transport's name in the outbox table and in `to = ".."`. Default `kafka`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// What stands before every topic, and a dot. Default `events`. With an empty one Kafka's topics are called as the events' are, and a
    /// subscription to all topics gets those of strangers too.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.prefix = prefix.into();
        self
    }

    /// Who makes the topics. Default [`Topology::Create`].
    pub fn topology(mut self, topology: Topology) -> Self {
        self.settings.topology = topology;
        self
    }

    /// How long a confirmation or another answer of the broker may take. Default 5 s. What is not confirmed in time is unavailable and sent
    /// again; keep it below the outbox's time limit for a delivery.
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.settings.ack_timeout = timeout;
        self
    }

    /// How long it may take to connect, and for [`connect`](Self::connect) until a broker answers. Default 5 s, at least 1 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// How many partitions a topic made here has: so many subscribers of a group can share it. Default 6.
    pub fn partitions(mut self, partitions: i32) -> Self {
        self.settings.partitions = partitions;
        self
    }

    /// On how many brokers a topic made here is stored. Default is what the broker has as its own default (`default.replication.factor`).
    pub fn replication(mut self, replicas: i32) -> Self {
        self.settings.replication = Some(replicas);
        self
    }

    /// How large an event may be, key and headers included, in bytes. Default 1,000,000. The broker has a limit of its own
    /// (`message.max.bytes`, or the topic's `max.message.bytes`, by default 1,048,588); keep this below it.
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_message_bytes = bytes;
        self
    }

    /// Who we are, instead of what the URL says.
    pub fn user_and_password(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        if let Ok(address) = &mut self.address {
            address.user = Some(user.into());
            address.password = Some(password.into());
        }
        self
    }

    /// How the password is proven. Default [`SaslMechanism::Plain`].
    pub fn sasl(mut self, mechanism: SaslMechanism) -> Self {
        self.settings.sasl = mechanism;
        self
    }

    /// Trusts the certificates of this PEM file, instead of those of the machine. Needs the feature `kafka-tls`.
    pub fn root_certificates(mut self, file: impl Into<PathBuf>) -> Self {
        self.settings.tls.root_certificates.push(file.into());
        self
    }

    /// Proves who we are by a certificate and its key, both PEM files. Needs the feature `kafka-tls`.
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.settings.tls.client_certificate = Some((certificate.into(), key.into()));
        self
    }

    /// Connects by TLS or not at all, whatever the scheme of the URL. Needs the feature `kafka-tls`.
    pub fn require_tls(mut self) -> Self {
        self.settings.tls.required = true;
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// An option cannot work, no broker answers, or it refuses the credentials.
    pub async fn connect(self) -> Result<Kafka, ConnectError> {
        let kafka = self.connect_in_background().await?;
        kafka.greet().await?;
        Ok(kafka)
    }

    /// Begins to connect, so that the process starts even if the broker is away: until it is there, events are `unavailable` and wait in
    /// the outbox, and subscriptions cannot be opened.
    ///
    /// # Errors
    /// An option cannot work. Refused credentials show in the errors of deliveries.
    #[allow(clippy::unused_async, reason = "as with all other brokers, and the library needs a runtime")]
    pub async fn connect_in_background(self) -> Result<Kafka, ConnectError> {
        Kafka::over(self.settings()?)
    }

    fn settings(self) -> Result<Settings, ConnectError> {
        let (address, rest) = (self.address?, self.settings);
        let invalid = |option, value: String, rule| Err(options::invalid(option, value, rule));
        options::name(&rest.name)?;
        if address.path.as_deref().is_some_and(|path| !path.is_empty()) {
            return invalid("the address", format!("{address}/.."), "nothing stands behind Kafka's hosts; the prefix is an option");
        }
        if !rest.prefix.is_empty() && (!topic::is_name(&rest.prefix) || rest.prefix.starts_with("__") || rest.prefix.len() > 100) {
            return invalid(
                "`prefix`",
                format!("{:?}", rest.prefix),
                "it must be letters and digits of ASCII, `.`, `_` and `-`, at most 100, and not begin with `__`",
            );
        }
        options::timeouts(&[("`ack_timeout`", rest.ack_timeout), ("`connect_timeout`", rest.connect_timeout)])?;
        if !(Duration::from_millis(100)..=Duration::from_secs(300)).contains(&rest.ack_timeout) {
            return invalid("`ack_timeout`", format!("{:?}", rest.ack_timeout), "it must be 100 ms to 300 s");
        }
        if rest.partitions < 1 || rest.replication.is_some_and(|replicas| replicas < 1) {
            return invalid("`partitions` or `replication`", "less than 1".to_owned(), "nothing would be stored");
        }
        if !(1_000..=1_000_000_000).contains(&rest.max_message_bytes) {
            return invalid("`max_message_bytes`", rest.max_message_bytes.to_string(), "it must be 1,000 to 1,000,000,000");
        }
        Ok(Settings { address_text: address.to_string(), topics: Topics::below(&rest.prefix), address, rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        let builder = Kafka::builder("kafka://shop:s3cret@a").user_and_password("shop", "s3cret");
        assert!(!format!("{builder:?}").contains("s3cret"));
        let builder = Kafka::builder("kafka://shop:s3cret@a:b");
        assert!(!format!("{builder:?}").contains("s3cret"));
    }

    #[tokio::test]
    async fn options_that_cannot_work_are_refused_before_anything_is_sent() {
        let said = async |builder: KafkaBuilder| builder.connect().await.unwrap_err().to_string();
        let builder = || Kafka::builder("kafka://a");
        assert!(said(builder().prefix("a b")).await.contains("`prefix` is \"a b\""));
        assert!(said(builder().ack_timeout(Duration::ZERO)).await.contains("`ack_timeout`"));
        assert!(said(builder().ack_timeout(Duration::from_secs(301))).await.contains("100 ms to 300 s"));
        assert!(said(builder().partitions(0)).await.contains("`partitions`"));
        assert!(said(builder().max_message_bytes(1)).await.contains("`max_message_bytes`"));
        assert!(said(Kafka::builder("kafka://a/b")).await.contains("the prefix is an option"));
        assert!(said(Kafka::builder("nats://a")).await.contains("kafka://user:password@host:9092"));
    }

    #[cfg(not(feature = "kafka-tls"))]
    #[tokio::test]
    async fn what_needs_tls_names_the_feature() {
        for builder in [Kafka::builder("kafkas://a"), Kafka::builder("kafka://a:b@c").sasl(SaslMechanism::ScramSha256)] {
            let said = builder.connect_in_background().await.unwrap_err().to_string();
            assert!(said.contains("`kafka-tls`"), "{said}");
        }
    }

    #[cfg(feature = "kafka-tls")]
    #[tokio::test]
    async fn a_certificate_that_is_not_there_is_named() {
        let said = Kafka::builder("kafkas://a").root_certificates("/nowhere.pem").connect_in_background().await.unwrap_err().to_string();
        assert!(said.contains("/nowhere.pem"), "{said}");
    }
}
