//! Which broker, and the way to it.
#![cfg_attr(
    not(any(feature = "kafka", feature = "nats", feature = "rabbitmq", feature = "redis", feature = "rocketmq", feature = "webhook")),
    allow(dead_code, unused_imports, unused_macros, unused_variables, reason = "without a broker there is nobody to relay to")
)]

use super::shared::Shared;
use crate::args;
use crate::config::{self, secret};
use anyhow::bail;
use std::{env, sync::Arc};

/// A broker that somebody named.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    url: String,
    name: Option<String>,
    destination: Option<String>,
    secret: Option<String>,
}

impl Plan {
    /// The broker for people: never the user and password of its URL, nor what comes after its hosts.
    pub(crate) fn shown(&self) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap_or(("", &self.url));
        let hosts = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let hosts: Vec<&str> = hosts.split(',').map(|host| host.rsplit('@').next().unwrap_or_default()).collect();
        format!("{scheme}://{}", hosts.join(","))
    }
}

/// The broker of the command line or, if it names none, of the file; `None` if nobody names one.
pub(crate) fn plan(given: &args::Broker, file: Option<&config::Broker>) -> anyhow::Result<Option<Plan>> {
    let file = file.cloned().unwrap_or_default();
    let url = match &given.to {
        Some(url) => url.clone(),
        None if file == config::Broker::default() => return Ok(None),
        None => secret(file.url.as_deref(), file.url_env.as_deref(), "the `[broker]`")?,
    };
    let webhook_secret = file.secret_env.as_deref().or(Some("OUTBOX_WEBHOOK_SECRET"));
    let webhook_secret = webhook_secret.and_then(|variable| env::var(variable).ok());
    Ok(Some(Plan {
        url,
        name: given.name.clone().or(file.name),
        destination: given.destination.clone().or(file.destination),
        secret: webhook_secret,
    }))
}

/// What it means that the broker is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Away {
    /// It is connected to when it comes back.
    IsWaitedFor,
    /// Whoever asks wants to know. (A webhook's receiver is only reached by an event.)
    IsAnError,
}

/// One line per broker: the schemes of its URLs, its cargo feature, and how to get its transport.
macro_rules! brokers {
    ($($($scheme:literal)|+, $feature:tt: |$plan:ident, $away:ident| $connect:block)+) => {
        /// Connects.
        ///
        /// # Errors
        /// The URL is of no broker that this program was built with, or can never work; or the broker is away and that matters now.
        pub(crate) async fn connect(plan: &Plan, away: Away) -> anyhow::Result<Shared> {
            match plan.url.split_once("://").map_or("", |(scheme, _)| scheme) {
                $(
                    #[cfg(feature = $feature)]
                    $($scheme)|+ => {
                        let ($plan, $away) = (plan, away);
                        Ok(Shared(Arc::new($connect)))
                    }
                    #[cfg(not(feature = $feature))]
                    $($scheme)|+ => bail!("this program was built without {}; build events-cli with `--features {}`", $feature, $feature),
                )+
                _ => bail!("a broker's URL begins with {}", [$($(concat!("`", $scheme, "://`")),+),+].join(", ")),
            }
        }
    };
}

/// Sets what was said, and leaves the rest to the builder.
macro_rules! options {
    ($builder:expr, $plan:ident, $($option:ident $method:ident),+) => {{
        let mut builder = $builder;
        $(if let Some(value) = &$plan.$option { builder = builder.$method(value.clone()); })+
        builder
    }};
}

#[allow(unused_macros, reason = "a webhook is not connected to")]
macro_rules! connected {
    ($builder:expr, $away:ident) => {{
        let builder = $builder;
        match $away {
            // Whoever only asks makes nothing.
            Away::IsAnError => builder.topology(events_mq::Topology::Check).connect().await?,
            Away::IsWaitedFor => builder.connect_in_background().await?,
        }
    }};
}

brokers! {
    "nats" | "tls", "nats": |plan, away| {
        connected!(options!(events_mq::nats::Nats::builder(&plan.url), plan, name name, destination stream), away)
    }
    "amqp" | "amqps", "rabbitmq": |plan, away| {
        connected!(options!(events_mq::rabbitmq::RabbitMq::builder(&plan.url), plan, name name, destination exchange), away)
    }
    "kafka" | "kafkas", "kafka": |plan, away| {
        connected!(options!(events_mq::kafka::Kafka::builder(&plan.url), plan, name name, destination prefix), away)
    }
    "redis" | "rediss", "redis": |plan, away| {
        connected!(options!(events_mq::redis::RedisStreams::builder(&plan.url), plan, name name, destination stream), away)
    }
    "rocketmq", "rocketmq": |plan, away| {
        connected!(options!(events_mq::rocketmq::RocketMq::builder(&plan.url), plan, name name, destination topic), away)
    }
    "https" | "http", "webhook": |plan, away| {
        let _ = away;
        let builder = options!(events_mq::webhook::Webhook::builder(&plan.url), plan, name name);
        let secret = plan.secret.clone().ok_or_else(|| anyhow::anyhow!("a webhook needs its secret: set OUTBOX_WEBHOOK_SECRET, or name a variable with `secret_env`"))?;
        let builder = builder.secret(secret);
        // Whoever writes http:// into the daemon's own configuration means it.
        let builder = if plan.url.starts_with("http://") { builder.allow_http().allow_private_addresses() } else { builder };
        builder.build()?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Plan {
        plan(&args::Broker { to: Some(url.into()), ..args::Broker::default() }, None).unwrap().unwrap()
    }

    #[test]
    fn a_broker_is_shown_without_its_password() {
        assert_eq!(of("nats://li:s3cret@a:4222,b:4222/x?token=s3cret").shown(), "nats://a:4222,b:4222");
        assert!(plan(&args::Broker::default(), None).unwrap().is_none());
    }

    #[tokio::test]
    async fn an_unknown_broker_is_refused_with_those_that_are_known() {
        for url in ["carrier-pigeon://li:s3cret@a", "s3cret"] {
            let said = connect(&of(url), Away::IsWaitedFor).await.map(|_| ()).unwrap_err().to_string();
            assert!(said.contains("`nats://`") && !said.contains("s3cret"), "{said}");
        }
    }
}
