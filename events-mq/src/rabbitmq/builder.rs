//! Everything that can be said about a connection to RabbitMQ.

use super::names::{self, Names};
use super::{NAME, RabbitMq, link::Link, tls, wire::Role};
use crate::address::{Address, Form};
use crate::{ConnectError, Topology, options, tls::Tls};
use lapin::tcp::RustlsConnector;
use std::{fmt, path::PathBuf, time::Duration};

const FORM: Form =
    Form { broker: NAME, schemes: &[("amqp", false, 5672), ("amqps", true, 5671)], example: "amqp://user:password@host:5672/vhost" };
/// What RabbitMQ 4 takes by default.
const MAX_MESSAGE_SIZE: usize = 16 * 1024 * 1024;

/// How RabbitMQ stores the events of a queue that is made here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum QueueType {
    /// Replicated to a majority of the cluster's nodes, and counts deliveries. RabbitMQ 3.10 and later.
    #[default]
    Quorum,
    /// On one node. It does not count deliveries that ended with the death of the subscriber.
    Classic,
}

impl QueueType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Quorum => "quorum",
            Self::Classic => "classic",
        }
    }
}

/// Options of [`RabbitMq`]; begin with [`RabbitMq::builder`].
///
/// ```no_run
/// # async fn example() -> Result<(), events_mq::ConnectError> {
/// use events_mq::rabbitmq::RabbitMq;
/// use std::time::Duration;
///
/// let rabbit = RabbitMq::builder("amqps://rabbit-1.example,rabbit-2.example/shop")
///     .user_and_password("shop", std::env::var("RABBITMQ_PASSWORD").unwrap_or_default())
///     .exchange("shop.events")
///     .queue("billing", "order.*")
///     .queue("audit", "#")
///     .ack_timeout(Duration::from_secs(3))
///     .connect()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use]
pub struct RabbitMqBuilder {
    address: Result<Address, ConnectError>,
    settings: Unaddressed,
}

/// What is settled when the connection is made.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) address: Address,
    /// The same as text, without credentials.
    pub(super) address_text: String,
    /// If the connection is to be made by TLS.
    pub(super) connector: Option<RustlsConnector>,
    rest: Unaddressed,
}

#[derive(Clone, Debug)]
pub(super) struct Unaddressed {
    pub(super) name: String,
    pub(super) names: Names,
    /// Consumers whose queues are made with the exchange, and their topics.
    pub(super) queues: Vec<(String, String)>,
    pub(super) queue_type: QueueType,
    pub(super) topology: Topology,
    pub(super) ack_timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) max_message_size: usize,
    tls: Tls,
}

impl std::ops::Deref for Settings {
    type Target = Unaddressed;

    fn deref(&self) -> &Unaddressed {
        &self.rest
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("address", &self.address).field("rest", &self.rest).finish_non_exhaustive()
    }
}

impl RabbitMqBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            address: Address::parse(&FORM, url),
            settings: Unaddressed {
                name: "rabbitmq".to_owned(),
                names: Names { exchange: "events".to_owned() },
                queues: Vec::new(),
                queue_type: QueueType::Quorum,
                topology: Topology::Create,
                ack_timeout: Duration::from_secs(5),
                connect_timeout: Duration::from_secs(5),
                max_message_size: MAX_MESSAGE_SIZE,
                tls: Tls::default(),
            },
        }
    }

    /// The transport's name in the outbox table and in `to = ".."`. Default `rabbitmq`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// The exchange that takes the events, and the beginning of the names of all queues. Default `events`.
    pub fn exchange(mut self, exchange: impl Into<String>) -> Self {
        self.settings.names.exchange = exchange.into();
        self
    }

    /// Declares a consumer before it subscribes for the first time: its queue takes the events of these `topics` (`*` stands for one word
    /// between dots, `#` for any number of them) from the moment the transport is connected.
    ///
    /// RabbitMQ keeps events in queues and nowhere else: an event that is sent before a queue takes its topic is refused, and a consumer
    /// never sees what was sent before its queue was there. So name here all consumers that must miss nothing.
    /// Under [`Topology::Check`] the queues must be there.
    pub fn queue(mut self, consumer: impl Into<String>, topics: impl Into<String>) -> Self {
        self.settings.queues.push((consumer.into(), topics.into()));
        self
    }

    /// What queues are made as. Default [`QueueType::Quorum`]. A queue that is there stays what it is.
    pub fn queue_type(mut self, queue_type: QueueType) -> Self {
        self.settings.queue_type = queue_type;
        self
    }

    /// Who makes the exchange and the queues. Default [`Topology::Create`].
    pub fn topology(mut self, topology: Topology) -> Self {
        self.settings.topology = topology;
        self
    }

    /// How long a confirmation or another answer of the server may take. Default 5 s. When nothing of a batch is confirmed for so long,
    /// what is not confirmed is unavailable and sent again; keep it below the outbox's time limit for a delivery.
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.settings.ack_timeout = timeout;
        self
    }

    /// How long one attempt to connect to one of the servers may take. Default 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// The largest payload that the server takes, in bytes: its own setting of this name. Default 16 MiB, as in RabbitMQ 4; up to 3.13 the
    /// server's is 128 MiB. Larger events are not sent, because the server answers one by closing the channel.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.settings.max_message_size = bytes;
        self
    }

    /// Who we are, instead of what the URL says. By default `guest`, whom RabbitMQ lets in from its own machine only.
    pub fn user_and_password(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        if let Ok(address) = &mut self.address {
            address.user = Some(user.into());
            address.password = Some(password.into());
        }
        self
    }

    /// Trusts the certificates of this PEM file, besides those of the machine.
    pub fn root_certificates(mut self, file: impl Into<PathBuf>) -> Self {
        self.settings.tls.root_certificates.push(file.into());
        self
    }

    /// Proves who we are by a certificate and its key, both PEM files.
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.settings.tls.client_certificate = Some((certificate.into(), key.into()));
        self
    }

    /// Connects by TLS or not at all, whatever the scheme of the URL.
    pub fn require_tls(mut self) -> Self {
        self.settings.tls.required = true;
        self
    }

    /// Connects, and makes or checks the exchange and the queues of [`queue`](Self::queue).
    ///
    /// # Errors
    /// An option cannot work, the server is away or refuses the credentials, or something is missing under [`Topology::Check`].
    pub async fn connect(self) -> Result<RabbitMq, ConnectError> {
        let settings = self.settings()?;
        let link = Link::open(settings.clone(), Role::Publisher).await?;
        let rabbit = RabbitMq::over(link, settings);
        rabbit.prepare().await?;
        Ok(rabbit)
    }

    /// Begins to connect, so that the process starts even if the broker is away: until it is there, events are `unavailable` and wait in
    /// the outbox, and subscriptions cannot be opened. The exchange is made or checked before the first event is sent.
    ///
    /// # Errors
    /// An option cannot work. Refused credentials show in the errors of deliveries.
    // It must be called on a runtime, and with other brokers it waits.
    #[allow(clippy::unused_async)]
    pub async fn connect_in_background(self) -> Result<RabbitMq, ConnectError> {
        let settings = self.settings()?;
        let link = Link::open_in_background(settings.clone(), Role::Publisher);
        Ok(RabbitMq::over(link, settings))
    }

    fn settings(self) -> Result<Settings, ConnectError> {
        let (address, rest) = (self.address?, self.settings);
        let invalid = |option, value: &str, rule| Err(options::invalid(option, format!("{value:?}"), rule));
        options::name(&rest.name)?;
        if !names::is_exchange(&rest.names.exchange) {
            return invalid("`exchange`", &rest.names.exchange, "it must have 1 to 100 bytes, and must not begin with `amq.`");
        }
        for (consumer, topics) in &rest.queues {
            check_consumer(consumer, topics)?;
        }
        options::timeouts(&[("`ack_timeout`", rest.ack_timeout), ("`connect_timeout`", rest.connect_timeout)])?;
        if rest.max_message_size == 0 {
            return Err(options::invalid("`max_message_size`", "0", "nothing could ever be sent"));
        }
        let connector = if address.tls || rest.tls.required { Some(tls::connector(&rest.tls)?) } else { None };
        Ok(Settings { address_text: address.to_string(), address, connector, rest })
    }
}

/// Whether a consumer can be called so, and get these topics.
pub(super) fn check_consumer(consumer: &str, topics: &str) -> Result<(), ConnectError> {
    if !names::is_consumer(consumer) {
        let rule = "it must be a word of at most 100 bytes without blanks, `.`, `*` and `#`";
        return Err(options::invalid("the consumer's name", format!("{consumer:?}"), rule));
    }
    if !names::is_pattern(topics) {
        let rule = "it must be words between single dots, `*` for one word, `#` for any number of them";
        return Err(options::invalid("`topics`", format!("{topics:?}"), rule));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        let builder = RabbitMq::builder("amqp://shop:s3cret@a/shop").user_and_password("shop", "s3cret");
        assert!(!format!("{builder:?}").contains("s3cret"));
        let settings = builder.settings().unwrap();
        assert!(!format!("{settings:?}").contains("s3cret"));
        let builder = RabbitMq::builder("amqp://shop:s3cret@a:b");
        assert!(!format!("{builder:?}").contains("s3cret"));
    }

    #[test]
    fn tls_is_used_if_the_scheme_or_the_option_says_so() {
        let by_tls = |builder: RabbitMqBuilder| builder.settings().unwrap().connector.is_some();
        assert!(by_tls(RabbitMq::builder("amqps://a")));
        assert!(by_tls(RabbitMq::builder("amqp://a").require_tls()));
        assert!(!by_tls(RabbitMq::builder("amqp://a")));
    }

    #[tokio::test]
    async fn options_that_cannot_work_are_refused_before_anything_is_sent() {
        let said = async |builder: RabbitMqBuilder| builder.connect().await.unwrap_err().to_string();
        let builder = || RabbitMq::builder("amqp://a");
        assert!(said(builder().exchange("amq.topic")).await.contains("`exchange` is \"amq.topic\""));
        assert!(said(builder().queue("a b", "#")).await.contains("the consumer's name is \"a b\""));
        assert!(said(builder().queue("a", "order.>")).await.contains("`topics` is \"order.>\""));
        assert!(said(builder().ack_timeout(Duration::ZERO)).await.contains("`ack_timeout`"));
        assert!(said(builder().max_message_size(0)).await.contains("`max_message_size`"));
        assert!(said(builder().name("")).await.contains("`name`"));
        assert!(said(builder().require_tls().root_certificates("/nowhere.pem")).await.contains("/nowhere.pem"));
        assert!(said(RabbitMq::builder("http://a")).await.contains("the address of RabbitMQ"));
    }
}
