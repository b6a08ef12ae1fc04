//! Everything that can be said about a connection to Redis.

use super::{NAME, RedisStreams, link::Link, tls, topics};
use crate::address::{Address, Form};
use crate::{ConnectError, Topology, options, tls::Tls};
use std::fmt;
use std::{path::PathBuf, time::Duration};
use tokio_rustls::TlsConnector;

const FORM: Form =
    Form { broker: NAME, schemes: &[("redis", false, 6379), ("rediss", true, 6379)], example: "redis://user:password@host:6379/0" };

/// Options of [`RedisStreams`]; begin with [`RedisStreams::builder`].
///
/// ```no_run
/// # async fn example() -> Result<(), events_mq::ConnectError> {
/// use events_mq::{Topology, redis::RedisStreams};
/// use std::time::Duration;
///
/// let redis = RedisStreams::builder("rediss://redis.example:6379")
///     .user_and_password("shop", std::env::var("REDIS_PASSWORD").unwrap_or_default())
///     .stream("shop.events")
///     .topology(Topology::Check)
///     .min_replicas(1)
///     .ack_timeout(Duration::from_secs(3))
///     .connect()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use]
pub struct RedisStreamsBuilder {
    address: Result<Address, ConnectError>,
    settings: Unaddressed,
}

/// What is settled when the connection is made.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) address: Address,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: u32,
    /// Host and port as text.
    pub(super) address_text: String,
    pub(super) connector: Option<TlsConnector>,
    rest: Unaddressed,
}

#[derive(Clone, Debug)]
pub(super) struct Unaddressed {
    pub(super) name: String,
    pub(super) stream: String,
    pub(super) topology: Topology,
    pub(super) ack_timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) max_payload: usize,
    pub(super) min_replicas: u32,
    pub(super) max_age: Option<Duration>,
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
        f.debug_struct("Settings").field("address", &self.address).field("database", &self.database).field("options", &self.rest).finish()
    }
}

impl RedisStreamsBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            address: Address::parse(&FORM, url),
            settings: Unaddressed {
                name: "redis".to_owned(),
                stream: "events".to_owned(),
                topology: Topology::Create,
                ack_timeout: Duration::from_secs(5),
                connect_timeout: Duration::from_secs(5),
                max_payload: 16 * 1024 * 1024,
                min_replicas: 0,
                max_age: None,
                tls: Tls::default(),
            },
        }
    }

    /// The transport's name in the outbox table and in `to = ".."`. Default `redis`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// The key of the stream that stores the events. Default `events`.
    pub fn stream(mut self, stream: impl Into<String>) -> Self {
        self.settings.stream = stream.into();
        self
    }

    /// Who makes the stream and its groups. Default [`Topology::Create`].
    pub fn topology(mut self, topology: Topology) -> Self {
        self.settings.topology = topology;
        self
    }

    /// How long a confirmation or another answer of the server may take. Default 5 s. What is not confirmed in time is unavailable and
    /// sent again; keep it below the outbox's time limit for a delivery.
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.settings.ack_timeout = timeout;
        self
    }

    /// How long one attempt to connect may take. Default 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// How large an event may be at most, with its headers, in bytes. Default 16 MiB; what is larger is a terminal error.
    ///
    /// A server closes the connection of who sends it more than its `proto-max-bulk-len` (512 MiB by default): keep this below.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.settings.max_payload = bytes;
        self
    }

    /// On how many replicas an event must be before it counts as sent, by `WAIT`. Default 0. If there are fewer within half of
    /// [`ack_timeout`](Self::ack_timeout), the event is unavailable although it is in the stream, and is stored a second time later.
    pub fn min_replicas(mut self, replicas: u32) -> Self {
        self.settings.min_replicas = replicas;
        self
    }

    /// For how long the stream keeps events, at least: older ones are trimmed now and then while new ones are sent, **whether or not they
    /// were received**. Default for ever: see the [module](crate::redis#what-grows).
    pub fn max_age(mut self, age: Duration) -> Self {
        self.settings.max_age = Some(age);
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

    /// The password of the default user (`requirepass`), instead of what the URL says.
    pub fn password(self, password: impl Into<String>) -> Self {
        self.user_and_password("", password)
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

    /// Connects, and looks at the stream.
    ///
    /// # Errors
    /// An option cannot work, the server is away or refuses the credentials, the key holds no stream, or there is none under
    /// [`Topology::Check`].
    pub async fn connect(self) -> Result<RedisStreams, ConnectError> {
        let redis = RedisStreams::over(Link::open(self.settings()?).await?);
        redis.prepare().await?;
        Ok(redis)
    }

    /// Begins to connect, so that the process starts even if the broker is away: until it is there, events are `unavailable` and wait in
    /// the outbox, and subscriptions cannot be opened.
    ///
    /// # Errors
    /// An option cannot work. Refused credentials show in the errors of deliveries.
    // As at the other brokers; and it needs a runtime.
    #[allow(clippy::unused_async)]
    pub async fn connect_in_background(self) -> Result<RedisStreams, ConnectError> {
        Ok(RedisStreams::over(Link::open_in_background(self.settings()?)))
    }

    fn settings(self) -> Result<Settings, ConnectError> {
        let (address, rest) = (self.address?, self.settings);
        let malformed = |reason: &str| ConnectError::Address { broker: NAME, reason: reason.to_owned(), example: FORM.example };
        let [(host, port)] = &address.hosts[..] else {
            return Err(malformed("it names more than one server; clusters are not supported"));
        };
        if address.user.as_deref().is_some_and(|user| !user.is_empty()) && address.password.is_none() {
            return Err(malformed("it has a user without a password"));
        }
        let database = match address.path.as_deref() {
            None | Some("") => 0,
            Some(path) => path.parse().map_err(|_| malformed("what follows the slash is not the number of a database"))?,
        };
        let invalid = |option, value: String, rule| Err(options::invalid(option, value, rule));
        options::name(&rest.name)?;
        if !topics::is_name(&rest.stream) {
            return invalid("`stream`", format!("{:?}", rest.stream), "it must be a word without blanks");
        }
        options::timeouts(&[("`ack_timeout`", rest.ack_timeout), ("`connect_timeout`", rest.connect_timeout)])?;
        if rest.max_payload == 0 {
            return invalid("`max_payload`", "0".to_owned(), "nothing could be sent");
        }
        if rest.max_age.is_some_and(|age| age < Duration::from_secs(1)) {
            return invalid("`max_age`", format!("{:?}", rest.max_age.unwrap_or_default()), "it must be at least 1 s");
        }
        let connector = if rest.tls.required || address.tls { Some(tls::connector(&rest.tls)?) } else { None };
        Ok(Settings { host: host.clone(), port: *port, database, address_text: address.to_string(), connector, address, rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        let builder = RedisStreams::builder("redis://shop:s3cret@a/1").user_and_password("shop", "s3cret");
        assert!(!format!("{builder:?}").contains("s3cret"));
        assert!(!format!("{:?}", builder.settings().unwrap()).contains("s3cret"));
        let builder = RedisStreams::builder("redis://a").password("s3cret");
        assert!(!format!("{builder:?}").contains("s3cret"));
        let builder = RedisStreams::builder("redis://shop:s3cret@a:b");
        assert!(!format!("{builder:?}").contains("s3cret"));
    }

    #[tokio::test]
    async fn options_that_cannot_work_are_refused_before_anything_is_sent() {
        let said = async |builder: RedisStreamsBuilder| builder.connect().await.unwrap_err().to_string();
        let builder = || RedisStreams::builder("redis://a");
        assert!(said(builder().stream("a b")).await.contains("`stream` is \"a b\""));
        assert!(said(builder().name("")).await.contains("`name`"));
        assert!(said(builder().ack_timeout(Duration::ZERO)).await.contains("`ack_timeout`"));
        assert!(said(builder().max_payload(0)).await.contains("`max_payload`"));
        assert!(said(builder().max_age(Duration::ZERO)).await.contains("`max_age`"));
        assert!(said(RedisStreams::builder("redis://a,b")).await.contains("more than one server"));
        assert!(said(RedisStreams::builder("redis://shop@a")).await.contains("without a password"));
        assert!(said(RedisStreams::builder("redis://a/first")).await.contains("number of a database"));
        assert!(said(builder().require_tls().root_certificates("/nowhere.pem")).await.contains("/nowhere.pem"));
    }

    #[test]
    fn the_database_and_tls_are_read_from_the_url() {
        let settings = |url: &str| RedisStreams::builder(url).settings().unwrap();
        let plain = settings("redis://a");
        assert_eq!((plain.database, plain.address_text.as_str(), plain.connector.is_none()), (0, "a:6379", true));
        let safe = settings("rediss://:s3cret@[::1]:1/7");
        assert_eq!((safe.database, safe.address_text.as_str(), safe.connector.is_some()), (7, "[::1]:1", true));
    }
}
