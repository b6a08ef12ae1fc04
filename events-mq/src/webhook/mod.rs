//! Webhooks: [`Webhook`] sends events to a URL, [`Verifier`] believes them at the other end.
//!
//! ```no_run
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use events_mq::webhook::Webhook;
//!
//! let webhook = Webhook::builder("https://shop.example/webhooks").secret(std::env::var("SHOP_SECRET")?).build()?;
//! // Outbox::builder(pool).transport(webhook) ..
//! # Ok(()) }
//! ```
//!
//! One webhook is one URL and one transport: several have names of their own, and events say `to = ".."`.
//!
//! # What goes over the wire
//!
//! A `POST` per event, whose body is the event as a CloudEvent 1.0 in structured mode ([`to_json`], [`from_json`]), with these headers:
//!
//! | header | value |
//! |---|---|
//! | `content-type` | `application/cloudevents+json; charset=utf-8` |
//! | `webhook-id` | the event's id, the same in every attempt |
//! | `webhook-timestamp` | when this attempt was made, in seconds since 1970 |
//! | `webhook-signature` | `v1,` and the signature in Base64; one per secret, separated by blanks |
//! | `traceparent`, `tracestate` | if the event has them |
//! | `authorization` | Basic, if the URL has a user and a password |
//!
//! The signature is that of [Standard Webhooks](https://www.standardwebhooks.com): any of its libraries verifies it, and [`Verifier`] does.
//! To change a secret, sign with the new and the old one until the receiver has the new one.
//!
//! # What an answer means
//!
//! | answer | meaning |
//! |---|---|
//! | 2xx | the event was taken; with [`expect_body`](WebhookBuilder::expect_body) only if the body is the one that is expected |
//! | 410 | the receiver wants no more events: to the dead letters at once |
//! | any other, 3xx among them | a failed attempt; not tried again before `Retry-After` (at most a day) has passed |
//! | none: refused, unknown, cut, not in time | a failed attempt |
//! | an address that may not be reached | to the dead letters at once |
//!
//! What is wrong with a receiver is mostly its configuration, which somebody will repair: so a 404 is tried again as a 500 is.
//!
//! # Best effort
//!
//! A broker that is away is waited for, however long it takes. A receiver is not: every request that it does not answer is a failed attempt,
//! because a receiver that never comes back must not keep its events for ever. After [`Webhook::schedule`], some seven hours, they are dead
//! letters, to be redriven when it is back. A webhook brings this policy along; [`retry`](WebhookBuilder::retry) replaces it.
//!
//! Events of one key come in the order of their commits, as from every transport, so a key whose event fails waits until it is taken or
//! dead. An event may come twice, if its answer was lost: receivers deduplicate by `webhook-id`.
//!
//! # Whom it talks to
//!
//! Only to https, and only to public addresses: not to those of the own machine or network, however they are written, and not by a name
//! or a redirect that leads there. The address is checked when the connection is made, so a name that changes in between gains nothing.
//! [`allow_http`](WebhookBuilder::allow_http) and [`allow_private_addresses`](WebhookBuilder::allow_private_addresses) lift that. Proxies
//! of the environment are not used.
//!
//! Errors show the URL without its user, password and parameters, and at most 200 bytes of what the receiver said. A path is shown: a
//! secret in it is none.
//!
//! # Not promised
//!
//! A receiver that asks for fewer requests (429) delays the event that it answered, not the others. There is one URL, and no list of
//! subscribers: who has many keeps them in a table and publishes an event for each.

mod answer;
mod builder;
mod json;
mod reach;
#[cfg(test)]
mod redirect_tests;
mod signature;
mod target;
mod tls;
mod transport;

pub use builder::WebhookBuilder;
pub use json::{from_json, to_json};
pub use reqwest::header::HeaderMap;
pub use signature::{Rejected, Verifier};
pub use transport::Webhook;

/// How errors call it.
const NAME: &str = "a webhook";
