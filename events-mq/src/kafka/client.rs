//! What the library is told when a producer or a consumer is made. Nothing here shows a password.

use super::{NAME, builder::Settings};
use crate::{ConnectError, options};
use rdkafka::ClientConfig;
use std::time::Duration;

/// How a password is proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SaslMechanism {
    /// It is sent as it is: for TLS, or a network that nobody listens to.
    #[default]
    Plain,
    /// It is proven without being sent. Needs the feature `kafka-tls`, TLS or not.
    ScramSha256,
    /// It is proven without being sent. Needs the feature `kafka-tls`, TLS or not.
    ScramSha512,
}

impl SaslMechanism {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl Settings {
    /// What all clients have in common.
    pub(super) fn client(&self) -> Result<ClientConfig, ConnectError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.address_text)
            .set("client.id", &self.name)
            .set("socket.timeout.ms", millis(self.ack_timeout))
            .set("socket.connection.setup.timeout.ms", millis(self.connect_timeout.max(Duration::from_secs(1))))
            .set("socket.keepalive.enable", "true")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            // Who makes topics is our decision.
            .set("allow.auto.create.topics", "false");
        let user = self.address.user.as_deref();
        let tls = self.address.tls || self.tls.required || !self.tls.root_certificates.is_empty() || self.tls.client_certificate.is_some();
        if cfg!(not(feature = "kafka-tls")) {
            let rule = "it needs the feature `kafka-tls` of `events-mq`, which was not compiled in";
            if tls {
                return Err(options::invalid("TLS", "wanted", rule));
            }
            if user.is_some() && self.sasl != SaslMechanism::Plain {
                return Err(options::invalid("`sasl`", self.sasl.name(), rule));
            }
        }
        if let Some(user) = user {
            config.set("sasl.mechanism", self.sasl.name()).set("sasl.username", user);
            config.set("sasl.password", self.address.password.as_deref().unwrap_or_default());
        }
        config.set(
            "security.protocol",
            match (tls, user) {
                (false, None) => "plaintext",
                (false, Some(_)) => "sasl_plaintext",
                (true, None) => "ssl",
                (true, Some(_)) => "sasl_ssl",
            },
        );
        if !self.tls.root_certificates.is_empty() {
            let mut all = String::new();
            for file in &self.tls.root_certificates {
                let text = std::fs::read_to_string(file);
                all += &text.map_err(|error| options::invalid("`root_certificates`", format!("{} ({error})", file.display()), READABLE))?;
                all.push('\n');
            }
            config.set("ssl.ca.pem", all);
        }
        if let Some((certificate, key)) = &self.tls.client_certificate {
            for file in [certificate, key] {
                std::fs::metadata(file)
                    .map_err(|error| options::invalid("`client_certificate`", format!("{} ({error})", file.display()), READABLE))?;
            }
            config.set("ssl.certificate.location", certificate.display().to_string());
            config.set("ssl.key.location", key.display().to_string());
        }
        Ok(config)
    }

    /// What a producer is told besides.
    pub(super) fn producer(&self) -> Result<ClientConfig, ConnectError> {
        let mut config = self.client()?;
        let largest = self.max_message_bytes;
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            // Whatever is not confirmed by then is not sent any more.
            .set("message.timeout.ms", millis(self.ack_timeout))
            .set("request.timeout.ms", millis(self.ack_timeout))
            .set("linger.ms", "2")
            // As Java's producers do, so that a key is in the same partition whoever sends.
            .set("partitioner", "murmur2_random")
            .set("message.max.bytes", largest.to_string())
            // Copies of what is on its way; who wants to send more waits.
            .set("queue.buffering.max.kbytes", ((largest / 1024) * 4).max(64 * 1024).to_string())
            // We ask for a topic before we send to it, so one that is unknown then is gone.
            .set("topic.metadata.propagation.max.ms", "0");
        Ok(config)
    }
}

const READABLE: &str = "it must be a PEM file that can be read";

/// As the library wants it.
pub(super) fn millis(duration: Duration) -> String {
    duration.as_millis().min(86_400_000).to_string()
}

/// The library does not make a client of it. Its text may quote a value, and is kept only where none is secret.
pub(super) fn unusable(settings: &Settings, error: &rdkafka::error::KafkaError) -> ConnectError {
    let reason = match error {
        rdkafka::error::KafkaError::ClientConfig(_, why, option, _) => format!("its option {option} cannot work: {why}"),
        other => other.to_string(),
    };
    ConnectError::Unreachable { broker: NAME, address: settings.address_text.clone(), reason }
}
