//! The way to the servers: requests and answers, by the library's connections.

use super::request::{Answer, Request, answer, code};
use super::{NAME, builder::Settings, engine::Engine, health::Health};
use crate::{ConnectError, failure::Failure};
use events_core::{BoxFuture, EventId};
use rocketmq_client_rust::{AclClientRPCHook, ClientConfig, ClientInstanceHandle, ClientRpcHook, SessionCredentials};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// One connection to each server, for any number of requests at the same time.
pub(super) struct Link {
    settings: Settings,
    credentials: Option<Arc<ClientRpcHook>>,
    /// Tells the library that two links share nothing: a broker knows the members of a group by their connections.
    domain: u64,
    /// A handle makes one request at a time, so there are as many as there were requests at the same time.
    idle: Mutex<Vec<Box<dyn Way>>>,
    health: Health,
}

/// What is behind a handle is so deep that every crate that has a [`RocketMq`](super::RocketMq) in a type of its own would have to raise the
/// compiler's recursion limit.
trait Way: Send + Sync {
    /// Asks; `limit` in milliseconds.
    fn ask<'a>(&'a self, server: &'a str, request: Request, limit: u64) -> BoxFuture<'a, Result<Answer, String>>;
    fn end(self: Box<Self>) -> BoxFuture<'static, ()>;
}

impl Way for ClientInstanceHandle {
    fn ask<'a>(&'a self, server: &'a str, request: Request, limit: u64) -> BoxFuture<'a, Result<Answer, String>> {
        Box::pin(async move {
            let answer = self.invoke_remoting(&server.into(), request.command(), limit).await;
            answer.map(Answer::new).map_err(|error| error.to_string())
        })
    }

    fn end(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.shutdown_owned().await;
        })
    }
}

/// A handle that goes back when it is not needed any more.
struct Lease<'a> {
    handle: Option<Box<dyn Way>>,
    link: &'a Link,
}

impl Link {
    pub(super) fn new(settings: Settings) -> Self {
        static DOMAINS: AtomicU64 = AtomicU64::new(0);
        let address = &settings.address;
        let credentials = address.user.clone().map(|user| -> Arc<ClientRpcHook> {
            Arc::new(AclClientRPCHook::new(SessionCredentials::with_keys(user, address.password.clone().unwrap_or_default())))
        });
        Self { credentials, domain: DOMAINS.fetch_add(1, Relaxed), idle: Mutex::default(), health: Health::default(), settings }
    }

    /// One with connections of its own.
    pub(super) fn another(&self) -> Self {
        Self::new(self.settings.clone())
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Signs requests, if we have credentials.
    pub(super) fn credentials(&self) -> Option<Arc<ClientRpcHook>> {
        self.credentials.clone()
    }

    /// Where the name servers are, without credentials.
    pub(super) fn address(&self) -> &str {
        &self.settings.address_text
    }

    /// Nobody answers there.
    pub(super) fn away(&self, server: &str, what: &str) -> Failure {
        Failure::away(format!("{NAME} at {server} is away: {what}"))
    }

    /// Asks a server, and waits for its answer.
    pub(super) async fn ask(&self, server: &str, request: Request) -> Result<Answer, Failure> {
        let gone = async { self.away(server, &self.health.gone(server).await) };
        self.ask_or(server, request, self.settings.ack_timeout, gone).await
    }

    /// The same, if the server may take its time, and is asked for other things meanwhile.
    pub(super) async fn ask_patiently(&self, server: &str, request: Request, patience: Duration) -> Result<Answer, Failure> {
        self.ask_or(server, request, patience, std::future::pending()).await
    }

    async fn ask_or(
        &self,
        server: &str,
        request: Request,
        patience: Duration,
        gone: impl Future<Output = Failure> + Send,
    ) -> Result<Answer, Failure> {
        let limit = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        tracing::trace!(server, code = request.code(), "a request");
        let lost = self.health.lost(server);
        // Its futures are so deep that the compiler would give up on whoever awaits them, if they had not this type.
        let asking: BoxFuture<'_, Result<Answer, Failure>> = Box::pin(async {
            self.health.knock(server).await.map_err(|error| self.away(server, &error.to_string()))?;
            let lease = self.lease().await?;
            let Some(handle) = &lease.handle else { return Err(self.away(server, "there is no connection")) };
            handle.ask(server, request, limit).await.map_err(|error| self.away(server, &error))
        });
        let answer = tokio::select! {
            biased;
            answer = tokio::time::timeout(patience, asking) => {
                answer.unwrap_or_else(|_| Err(self.away(server, &format!("it did not answer within {patience:?}"))))
            }
            failure = gone => Err(failure),
            // Whoever found out has told the others already.
            () = lost => return Err(self.away(server, "the connection was lost")),
        };
        self.health.note(server, answer.is_ok());
        answer
    }

    /// A server was started anew, so what it was asked before will never be answered.
    pub(super) fn forget(&self, server: &str) {
        self.health.note(server, false);
    }

    /// Asks one of the name servers: the first that answers.
    pub(super) async fn ask_name_server(&self, request: Request) -> Result<Answer, Failure> {
        let mut failed = None;
        for (host, port) in &self.settings.address.hosts {
            match self.ask(&format!("{host}:{port}"), request.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failed = Some(failure),
            }
        }
        Err(failed.unwrap_or_else(|| self.away(self.address(), "there is no address")))
    }

    /// Shows the credentials to a broker, which asks for them with every request.
    pub(super) async fn sign_in(&self, broker: &str) -> Result<(), ConnectError> {
        let group = &self.settings.producer_group;
        let body =
            format!(r#"{{"clientID":"{}#{}","producerDataSet":[{{"groupName":"{group}"}}],"consumerDataSet":[]}}"#, process(), self.domain);
        let answer = self.ask(broker, Request::new(code::HEARTBEAT).body(body)).await.map_err(|failure| failure.for_start(NAME, broker))?;
        if is_stranger(&answer) {
            return Err(ConnectError::Credentials { broker: NAME, address: broker.to_owned() });
        }
        Ok(())
    }

    /// What a refusal means that no request of its own kind explains.
    pub(super) fn refused(&self, server: &str, what: &str, answer: &Answer) -> Failure {
        let said = answer.said();
        match answer.code() {
            answer::SYSTEM_BUSY | answer::SERVICE_NOT_AVAILABLE => self.away(server, &said),
            answer::NO_PERMISSION if is_stranger(answer) => {
                self.away(server, &format!("it refuses the credentials; check the access key and its secret: {said}"))
            }
            answer::NO_PERMISSION => Failure::hopeless(format!("{NAME} at {server} does not let this user {what}; grant it: {said}")),
            _ => Failure::passing(format!("{NAME} at {server} cannot {what}: {said}")),
        }
    }

    async fn lease(&self) -> Result<Lease<'_>, Failure> {
        let kept = lock(&self.idle).pop();
        let mut lease = Lease { handle: kept, link: self };
        if lease.handle.is_none() {
            let engine = Engine::get()?;
            let mut config = ClientConfig::default();
            config.set_namesrv_addr(self.address().replace(',', ";").into());
            config.set_instance_name(process().into());
            config.set_vip_channel_enabled(false);
            let cannot = |error: rocketmq_client_rust::ClientError| self.away(self.address(), &error.to_string());
            let handle =
                ClientInstanceHandle::get_or_create(engine.client(), self.domain, config, self.credentials.clone()).map_err(cannot)?;
            if let Err(error) = handle.start().await {
                // All of them share what did not start; the next ones shall not.
                say_goodbye(vec![Box::new(handle)]);
                say_goodbye(std::mem::take(&mut *lock(&self.idle)));
                return Err(cannot(error));
            }
            lease.handle = Some(Box::new(handle));
        }
        Ok(lease)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        say_goodbye(std::mem::take(&mut *lock(&self.idle)));
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        lock(&self.link.idle).extend(self.handle.take());
    }
}

/// Names this process among all that a broker may ever hear of: it takes those of one name for one.
pub(super) fn process() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| format!("events-{}-{}", std::process::id(), EventId::now()))
}

/// Ends connections.
fn say_goodbye(handles: Vec<Box<dyn Way>>) {
    if let (false, Ok(engine)) = (handles.is_empty(), Engine::get()) {
        engine.spawn(async move {
            for handle in handles {
                handle.end().await;
            }
        });
    }
}

/// Whether the server does not know who we are. It has no code of its own for that.
fn is_stranger(answer: &Answer) -> bool {
    let said = answer.said().to_ascii_lowercase();
    !answer.is_success() && ["authentication", "credentials", "signature", "accesskey"].iter().any(|word| said.contains(word))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
