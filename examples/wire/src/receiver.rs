//! A webhook and its receiver: a service listens at the URL that the events of another one are posted to.

use anyhow::{Context, bail};
use async_trait::async_trait;
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use events_core::{Acknowledge, BoxError, BoxFuture, Received, Subscription};
use events_mq::webhook::{Rejected, Verifier, Webhook};
use rand::{Rng, distr::Alphanumeric};
use std::sync::Arc;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// What the receiver answers once an event is dealt with.
const TAKEN: &str = "success";

/// Listens at `url`, and makes a webhook that sends there.
pub(crate) async fn open(url: &str) -> anyhow::Result<(Webhook, Requests)> {
    let Some(rest) = url.strip_prefix("http://") else {
        bail!("the receiving service has no certificate, so it cannot listen at an `https://` URL; use `http://127.0.0.1:8081/events`");
    };
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let listener =
        TcpListener::bind(address).await.context("listening at the address of `--broker`, such as `http://127.0.0.1:8081/events`")?;
    // Both ends are here, so the secret need not leave the process: any 32 letters and digits are Base64 of 24 bytes.
    let secret: String = "whsec_".chars().chain(rand::rng().sample_iter(Alphanumeric).take(32).map(char::from)).collect();
    let (queue, events) = mpsc::channel(1);
    let door = Door { verifier: Verifier::new([&secret])?, queue };
    let routes = Router::new().route(&format!("/{path}"), post(take)).with_state(Arc::new(door));
    let server = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "the receiver of webhooks stopped");
        }
    });
    let webhook = Webhook::builder(url).secret(&secret).expect_body(TAKEN).allow_http().allow_private_addresses().build()?;
    Ok((webhook, Requests { events, server }))
}

struct Door {
    verifier: Verifier,
    queue: mpsc::Sender<Received>,
}

/// Answers when the event is dealt with, and not before.
async fn take(State(door): State<Arc<Door>>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let envelope = match door.verifier.verify(&headers, &body) {
        Ok(envelope) => envelope,
        Err(error @ Rejected::Unproven(_)) => return (StatusCode::UNAUTHORIZED, error.to_string()),
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()),
    };
    let (answer, answered) = oneshot::channel();
    let _ = door.queue.send(Received::new(Arc::new(envelope), Box::new(Answer(answer)))).await;
    match answered.await {
        Ok(Ok(())) => (StatusCode::OK, TAKEN.to_owned()),
        Ok(Err(reason)) => (StatusCode::INTERNAL_SERVER_ERROR, reason.to_string()),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the receiving service is closed".to_owned()),
    }
}

/// The events that were posted.
pub(crate) struct Requests {
    events: mpsc::Receiver<Received>,
    server: JoinHandle<()>,
}

#[async_trait]
impl Subscription for Requests {
    async fn next(&mut self) -> Option<Received> {
        self.events.recv().await
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Answer(oneshot::Sender<Result<(), BoxError>>);

impl Acknowledge for Answer {
    fn ack(self: Box<Self>) -> BoxFuture<'static, Result<(), BoxError>> {
        self.give(Ok(()))
    }

    fn nack(self: Box<Self>, reason: BoxError) -> BoxFuture<'static, Result<(), BoxError>> {
        self.give(Err(reason))
    }
}

impl Answer {
    fn give(self: Box<Self>, answer: Result<(), BoxError>) -> BoxFuture<'static, Result<(), BoxError>> {
        Box::pin(async move { self.0.send(answer).map_err(|_| "the sender waits no longer".into()) })
    }
}
