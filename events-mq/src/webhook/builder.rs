//! Everything that can be said about a webhook.

use super::{NAME, Webhook, answer::LONGEST_EXPECTED, reach::Reach, signature::Secrets, target::Target, tls};
use crate::{ConnectError, options};
use events_core::RetryPolicy;
use reqwest::{Client, ClientBuilder, retry};
use std::{path::PathBuf, time::Duration};

/// An outbox gives a transport 30 s for a batch; a request must be over before that.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(28);
/// For how long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Options of [`Webhook`]; begin with [`Webhook::builder`].
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use events_mq::webhook::Webhook;
/// use std::time::Duration;
///
/// let webhook = Webhook::builder("https://shop.example/webhooks")
///     .name("shop")
///     .secret(std::env::var("SHOP_SECRET")?)
///     .secret(std::env::var("SHOP_SECRET_BEFORE")?) // until the receiver knows the new one
///     .expect_body("success")
///     .timeout(Duration::from_secs(20))
///     .build()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use]
pub struct WebhookBuilder {
    target: Result<Target, ConnectError>,
    secrets: Result<Secrets, ConnectError>,
    unsigned: bool,
    connect_timeout: Duration,
    redirects: usize,
    reach: Reach,
    root_certificates: Vec<PathBuf>,
    settings: Settings,
}

/// What is still needed when requests are made.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) expected_body: Option<String>,
    pub(super) timeout: Duration,
    pub(super) concurrency: usize,
    pub(super) retry: RetryPolicy,
}

impl WebhookBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            target: Target::parse(url),
            secrets: Ok(Secrets::default()),
            unsigned: false,
            connect_timeout: Duration::from_secs(5),
            redirects: 0,
            reach: Reach::default(),
            root_certificates: Vec::new(),
            settings: Settings {
                name: "webhook".to_owned(),
                expected_body: None,
                timeout: Duration::from_secs(15),
                concurrency: 8,
                retry: Webhook::schedule(),
            },
        }
    }

    /// The transport's name in the outbox table and in `to = ".."`. Default `webhook`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Signs every request with this secret, `whsec_` and 24 to 64 bytes in Base64. Called again, requests have one signature per secret,
    /// so that a receiver can change from one to the other.
    pub fn secret(mut self, secret: impl AsRef<str>) -> Self {
        if let Ok(secrets) = &mut self.secrets
            && let Err(error) = secrets.add(secret.as_ref())
        {
            self.secrets = Err(error);
        }
        self
    }

    /// Signs nothing: the receiver cannot tell who sends.
    pub fn unsigned(mut self) -> Self {
        self.unsigned = true;
        self
    }

    /// A 2xx counts only with this body, whatever blanks are around it; at most 1 KiB. By default the status is enough.
    pub fn expect_body(mut self, body: impl Into<String>) -> Self {
        self.settings.expected_body = Some(body.into());
        self
    }

    /// How many redirects in a row are followed, if they are a 307 or a 308, which keep the request as it is. Default none: the receiver's
    /// new URL belongs into the configuration.
    pub fn redirects(mut self, most: usize) -> Self {
        self.redirects = most;
        self
    }

    /// How long it may take to find the receiver and to connect to it. Default 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a request may take in all, from the first byte to the last of the answer. Default 15 s, at most 28 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// How many requests an outbox has under way at once. Default 8.
    pub fn concurrency(mut self, most: usize) -> Self {
        self.settings.concurrency = most;
        self
    }

    /// When failed events are sent again, instead of by [`Webhook::schedule`].
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// Allows URLs and redirects without TLS: what is sent can be read on the way.
    pub fn allow_http(mut self) -> Self {
        self.reach.http = true;
        self
    }

    /// Allows addresses that are not public, such as those of the own machine or network. Only for URLs that were not given by strangers.
    pub fn allow_private_addresses(mut self) -> Self {
        self.reach.private_addresses = true;
        self
    }

    /// Trusts the certificates of this PEM file, besides those of the machine.
    pub fn root_certificates(mut self, file: impl Into<PathBuf>) -> Self {
        self.root_certificates.push(file.into());
        self
    }

    /// Puts it together. Nothing is sent: a receiver that is away is found out with the first event.
    ///
    /// # Errors
    /// The URL is malformed or leads where it may not, an option cannot work, or there is no secret and no [`unsigned`](Self::unsigned).
    pub fn build(self) -> Result<Webhook, ConnectError> {
        self.build_with(|client| client)
    }

    /// As [`build`](Self::build); tests say where a public name leads.
    pub(super) fn build_with(self, adjust: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Result<Webhook, ConnectError> {
        let (target, secrets, settings) = (self.target?, self.secrets?, self.settings);
        target.check(self.reach)?;
        options::name(&settings.name)?;
        options::timeouts(&[("`timeout`", settings.timeout), ("`connect_timeout`", self.connect_timeout)])?;
        if settings.timeout > LONGEST_TIMEOUT {
            return Err(options::invalid(
                "`timeout`",
                format!("{:?}", settings.timeout),
                "it must be at most 28 s, because an outbox gives 30",
            ));
        }
        if settings.concurrency == 0 {
            return Err(options::invalid("`concurrency`", "0", "it must be at least 1"));
        }
        if settings.expected_body.as_ref().is_some_and(|body| body.len() > LONGEST_EXPECTED) {
            return Err(options::invalid("`expect_body`", "longer than 1 KiB", "no more of a body is read"));
        }
        if secrets.is_empty() != self.unsigned {
            let (value, rule) = match self.unsigned {
                true => ("given, and `unsigned()` too", "one of them must go"),
                false => ("missing", "requests are signed; name one with `secret(..)`, or say `unsigned()`"),
            };
            return Err(options::invalid("a secret", value, rule));
        }
        let client = Client::builder()
            .user_agent(concat!("events-mq/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls::config(&self.root_certificates, target.is_https())?)
            .http1_only()
            // A proxy would resolve names itself, and reach what we may not.
            .no_proxy()
            .dns_resolver(self.reach)
            .redirect(self.reach.redirects(self.redirects))
            .referer(false)
            // The outbox does it, and counts.
            .retry(retry::never())
            .connect_timeout(self.connect_timeout)
            .timeout(settings.timeout)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(settings.concurrency);
        let client = adjust(client).build().map_err(|error| ConnectError::Topology(format!("{NAME} cannot be set up: {error}")))?;
        Ok(Webhook::new(client, target, secrets, settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    fn said(builder: WebhookBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn options_that_cannot_work_are_refused_before_anything_is_sent() {
        let builder = || Webhook::builder("https://shop.example/hooks").secret(SECRET);
        assert!(builder().build().is_ok());
        assert!(said(builder().name("")).contains("`name`"));
        assert!(said(builder().timeout(Duration::ZERO)).contains("`timeout` is 0"));
        assert!(said(builder().timeout(Duration::from_secs(29))).contains("at most 28 s"));
        assert!(said(builder().connect_timeout(Duration::ZERO)).contains("`connect_timeout`"));
        assert!(said(builder().concurrency(0)).contains("`concurrency`"));
        assert!(said(builder().expect_body("x".repeat(1025))).contains("`expect_body`"));
        assert!(said(builder().root_certificates("/nowhere.pem")).contains("/nowhere.pem"));
        assert!(said(builder().root_certificates("/dev/null")).contains("there is none"));
        assert!(said(builder().secret("s3cret")).contains("a secret is"));
    }

    #[test]
    fn whether_requests_are_signed_is_said_one_way_or_the_other() {
        let builder = || Webhook::builder("https://shop.example/hooks");
        assert!(said(builder()).contains("`unsigned()`"));
        assert!(said(builder().secret(SECRET).unsigned()).contains("one of them must go"));
        assert!(builder().unsigned().build().is_ok());
    }

    #[test]
    fn a_url_that_leads_where_it_may_not_is_refused_at_once() {
        let builder = |url: &str| Webhook::builder(url).secret(SECRET);
        assert!(said(builder("http://shop.example/")).contains("`allow_http()`"));
        assert!(said(builder("http://2130706433/").allow_http()).contains("leads to 127.0.0.1"));
        assert!(said(builder("https://[::ffff:10.0.0.1]/")).contains("`allow_private_addresses()`"));
        assert!(said(builder("ftp://shop.example/").allow_http()).contains("`ftp`"));
        assert!(builder("http://[::1]/").allow_http().allow_private_addresses().build().is_ok());
    }

    #[test]
    fn no_secret_is_shown() {
        let builder = Webhook::builder("https://shop:s3cret@shop.example/?token=t0ken").secret(SECRET);
        let shown = format!("{builder:?}");
        let printed = format!("{shown} {:?}", builder.build().unwrap());
        assert!(printed.contains("shop.example") && printed.contains("1 secrets"), "{printed}");
        for secret in ["s3cret", "t0ken", &SECRET[6..], "shop:"] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }
}
