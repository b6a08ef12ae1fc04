//! Everything that can be said about a connection to NATS.

use super::{Nats, address::Address, address::Credentials, link::Link, subject, subject::Subjects};
use crate::{ConnectError, Topology, options, tls::Tls};
use async_nats::ConnectOptions;
use std::{path::PathBuf, time::Duration};

/// Options of [`Nats`]; begin with [`Nats::builder`].
///
/// ```no_run
/// # async fn example() -> Result<(), events_mq::ConnectError> {
/// use events_mq::{Topology, nats::Nats};
/// use std::time::Duration;
///
/// let nats = Nats::builder("tls://nats-1.example:4222,tls://nats-2.example:4222")
///     .user_and_password("shop", std::env::var("NATS_PASSWORD").unwrap_or_default())
///     .stream("SHOP")
///     .prefix("shop.events")
///     .topology(Topology::Check)
///     .ack_timeout(Duration::from_secs(3))
///     .connect()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use]
pub struct NatsBuilder {
    address: Result<Address, ConnectError>,
    settings: Unaddressed,
}

/// What is settled when the connection is made.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) address: Address,
    /// The same as text, without credentials.
    pub(super) address_text: String,
    pub(super) subjects: Subjects,
    rest: Unaddressed,
}

#[derive(Clone, Debug)]
pub(super) struct Unaddressed {
    pub(super) name: String,
    pub(super) stream: String,
    prefix: String,
    pub(super) topology: Topology,
    pub(super) ack_timeout: Duration,
    connect_timeout: Duration,
    pub(super) duplicate_window: Duration,
    pub(super) max_age: Duration,
    pub(super) replicas: usize,
    tls: Tls,
}

impl std::ops::Deref for Settings {
    type Target = Unaddressed;

    fn deref(&self) -> &Unaddressed {
        &self.rest
    }
}

impl NatsBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            address: Address::parse(url),
            settings: Unaddressed {
                name: "nats".to_owned(),
                stream: "EVENTS".to_owned(),
                prefix: "events".to_owned(),
                topology: Topology::Create,
                ack_timeout: Duration::from_secs(5),
                connect_timeout: Duration::from_secs(5),
                duplicate_window: Duration::from_secs(120),
                max_age: Duration::ZERO,
                replicas: 1,
                tls: Tls::default(),
            },
        }
    }

    /// The transport's name in the outbox table and in `to = ".."`. Default `nats`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// The stream that stores the events. Default `EVENTS`.
    pub fn stream(mut self, stream: impl Into<String>) -> Self {
        self.settings.stream = stream.into();
        self
    }

    /// What stands before every topic, and a dot. Default `events`. Prefixes of two streams of an account must not overlap.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.prefix = prefix.into();
        self
    }

    /// Who makes the stream and its consumers. Default [`Topology::Create`].
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

    /// For how long a stream made here remembers the ids of events, to drop those that are sent again. Default 2 minutes.
    ///
    /// The server keeps them all in memory. A stream that is already there keeps its window.
    pub fn duplicate_window(mut self, window: Duration) -> Self {
        self.settings.duplicate_window = window;
        self
    }

    /// For how long a stream made here keeps events. Default for ever. At least the duplicate window.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.settings.max_age = age;
        self
    }

    /// On how many servers of a cluster a stream made here is stored, 1 to 5. Default 1.
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.settings.replicas = replicas;
        self
    }

    /// Who we are, instead of what the URL says.
    pub fn user_and_password(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        if let Ok(address) = &mut self.address {
            address.set_credentials(Credentials::Password { user: user.into(), password: password.into() });
        }
        self
    }

    /// The token that lets us in, instead of what the URL says.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        if let Ok(address) = &mut self.address {
            address.set_credentials(Credentials::Token(token.into()));
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

    /// Connects, and makes or checks the stream.
    ///
    /// # Errors
    /// An option cannot work, the server is away or refuses the credentials, or the stream is missing under [`Topology::Check`].
    pub async fn connect(self) -> Result<Nats, ConnectError> {
        let settings = self.settings()?;
        let link = Link::open(settings.clone()).await?;
        let nats = Nats::over(link, settings);
        nats.prepare().await?;
        Ok(nats)
    }

    /// Begins to connect, so that the process starts even if the broker is away: until it is there, events are `unavailable` and wait in
    /// the outbox, and subscriptions cannot be opened. The stream is made or checked before the first event is sent.
    ///
    /// # Errors
    /// An option cannot work. Refused credentials show in the errors of deliveries.
    pub async fn connect_in_background(self) -> Result<Nats, ConnectError> {
        let settings = self.settings()?;
        let link = Link::open_in_background(settings.clone()).await?;
        Ok(Nats::over(link, settings))
    }

    fn settings(self) -> Result<Settings, ConnectError> {
        let (address, rest) = (self.address?, self.settings);
        let invalid = |option, value: String, rule| Err(options::invalid(option, value, rule));
        options::name(&rest.name)?;
        if !subject::is_name(&rest.stream) {
            return invalid("`stream`", format!("{:?}", rest.stream), "it must be a word without blanks, `.`, `*`, `>`, `/` and `\\`");
        }
        if !subject::is_subject(&rest.prefix) || rest.prefix.starts_with('$') {
            return invalid(
                "`prefix`",
                format!("{:?}", rest.prefix),
                "it must be words between single dots, without blanks, `*`, `>` and a leading `$`",
            );
        }
        options::timeouts(&[("`ack_timeout`", rest.ack_timeout), ("`connect_timeout`", rest.connect_timeout)])?;
        if !rest.max_age.is_zero() && rest.max_age < rest.duplicate_window {
            return invalid("`max_age`", format!("{:?}", rest.max_age), "it must not be shorter than `duplicate_window`");
        }
        if !(1..=5).contains(&rest.replicas) {
            return invalid("`replicas`", rest.replicas.to_string(), "it must be 1 to 5");
        }
        Ok(Settings { address_text: address.to_string(), address, subjects: Subjects::below(&rest.prefix), rest })
    }
}

impl Settings {
    pub(super) fn connect_options(&self) -> Result<ConnectOptions, ConnectError> {
        Ok(self
            .address
            .sign_in(ConnectOptions::new())
            .name(&self.name)
            .connection_timeout(self.connect_timeout)
            .request_timeout(Some(self.ack_timeout))
            .require_tls(self.tls.required)
            // Always: a server may ask for TLS though we did not.
            .tls_client_config(self.tls.config()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        let builder = Nats::builder("nats://shop:s3cret@a").user_and_password("shop", "s3cret");
        assert!(!format!("{builder:?}").contains("s3cret"));
        let builder = Nats::builder("nats://a").token("s3cret");
        assert!(!format!("{builder:?}").contains("s3cret"));
        let builder = Nats::builder("nats://shop:s3cret@a:b");
        assert!(!format!("{builder:?}").contains("s3cret"));
    }

    #[tokio::test]
    async fn options_that_cannot_work_are_refused_before_anything_is_sent() {
        let said = async |builder: NatsBuilder| builder.connect().await.unwrap_err().to_string();
        let builder = || Nats::builder("nats://a");
        assert!(said(builder().stream("a.b")).await.contains("`stream` is \"a.b\""));
        assert!(said(builder().prefix("a.>")).await.contains("`prefix`"));
        assert!(said(builder().prefix("$JS")).await.contains("`prefix`"));
        assert!(said(builder().ack_timeout(Duration::ZERO)).await.contains("`ack_timeout`"));
        assert!(said(builder().max_age(Duration::from_secs(1))).await.contains("`max_age`"));
        assert!(said(builder().replicas(6)).await.contains("`replicas`"));
        assert!(said(Nats::builder("ftp://a")).await.contains("the address of NATS"));
    }
}
