//! Somebody else at a RocketMQ: what stands in a topic, and what strangers put there.

use super::RocketMqServer;
use bytes::Bytes;
use events_core::BoxFuture;
use rocketmq_client_rust::{
    AclClientRPCHook, ClientConfig, ClientInstanceHandle, ClientRpcHook, ClientRuntime, ClientRuntimeConfig, SessionCredentials,
};
use rocketmq_observability::TelemetryRuntimeGuard;
use rocketmq_protocol::common::message::message_decoder;
use rocketmq_protocol::protocol::remoting_command::RemotingCommand;
use rocketmq_runtime::RuntimeOwner;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// A client of its own.
pub struct RocketMqClient {
    handle: ClientInstanceHandle,
    broker: String,
    name_server: String,
}

impl RocketMqClient {
    /// One with these credentials, or none.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn of(server: &RocketMqServer, credentials: Option<(&str, &str)>) -> Self {
        // Other than ours, which count from zero.
        static DOMAINS: AtomicU64 = AtomicU64::new(1 << 32);
        let hook = credentials
            .map(|(key, secret)| -> Arc<ClientRpcHook> { Arc::new(AclClientRPCHook::new(SessionCredentials::with_keys(key, secret))) });
        let name_server = format!("127.0.0.1:{}", server.port());
        let mut config = ClientConfig::default();
        config.set_namesrv_addr(name_server.clone().into());
        let handle = ClientInstanceHandle::get_or_create(Self::runtime(), DOMAINS.fetch_add(1, Relaxed), config, hook).unwrap();
        Self { handle, broker: format!("127.0.0.1:{}", server.broker_port()), name_server }
    }

    /// What the clients of this process run on.
    ///
    /// # Panics
    /// It cannot be made.
    pub fn runtime() -> &'static Arc<ClientRuntime> {
        static RUNTIME: OnceLock<(RuntimeOwner, Arc<ClientRuntime>)> = OnceLock::new();
        let (_, runtime) = RUNTIME.get_or_init(|| {
            let owner = RuntimeOwner::new().unwrap();
            let context = owner.root_context().component("tests");
            let runtime = ClientRuntime::try_new(context, ClientRuntimeConfig::default(), TelemetryRuntimeGuard::noop().handle());
            (owner, runtime.unwrap())
        });
        runtime
    }

    /// Sends a message without properties to the first queue of a topic.
    ///
    /// # Panics
    /// The broker does not take it.
    pub async fn send(&self, topic: &str, body: Bytes) {
        let fields =
            [("a", "strangers"), ("b", topic), ("c", "TBW102"), ("d", "4"), ("e", "0"), ("f", "0"), ("g", "0"), ("h", "0"), ("i", "")];
        let answer = self.ask_broker(310, &fields, body).await;
        assert_eq!(answer.code(), 0, "{:?}", answer.remark());
    }

    /// The properties and bodies of what is stored in a queue of a topic.
    pub async fn messages(&self, topic: &str, queue: u32) -> Vec<(HashMap<String, String>, Bytes)> {
        let mut all = Vec::new();
        let mut offset = String::from("0");
        loop {
            let queue = queue.to_string();
            let fields = [
                ("consumerGroup", "strangers"),
                ("topic", topic),
                ("queueId", &queue),
                ("queueOffset", &offset),
                ("maxMsgNums", "32"),
                ("sysFlag", "4"),
                ("commitOffset", "0"),
                ("suspendTimeoutMillis", "0"),
                ("subscription", "*"),
                ("subVersion", "1"),
                ("expressionType", "TAG"),
            ];
            let answer = self.ask_broker(11, &fields, Bytes::new()).await;
            if answer.code() != 0 {
                return all;
            }
            let mut body = answer.body().cloned().unwrap_or_default();
            for message in message_decoder::decodes_batch(&mut body, true, true) {
                let properties = message.properties().iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
                all.push((properties, message.body().unwrap_or_default()));
            }
            let next = answer.ext_fields().into_iter().flatten().find(|(name, _)| name.as_str() == "nextBeginOffset");
            offset = next.map(|(_, next)| next.to_string()).unwrap();
        }
    }

    /// Removes a topic from the broker.
    ///
    /// # Panics
    /// It cannot be removed.
    pub async fn delete_topic(&self, topic: &str) {
        assert_eq!(self.ask_broker(215, &[("topic", topic)], Bytes::new()).await.code(), 0);
    }

    /// Whether the name server knows a topic.
    pub async fn has_topic(&self, topic: &str) -> bool {
        self.ask(&self.name_server, 105, &[("topic", topic)], Bytes::new()).await.code() == 0
    }

    /// Asks the broker.
    ///
    /// # Panics
    /// It does not answer.
    pub async fn ask_broker(&self, code: i32, fields: &[(&'static str, &str)], body: Bytes) -> RemotingCommand {
        self.ask(&self.broker, code, fields, body).await
    }

    async fn ask(&self, server: &str, code: i32, fields: &[(&'static str, &str)], body: Bytes) -> RemotingCommand {
        let mut command = RemotingCommand::create_remoting_command(code);
        command.ensure_ext_fields_initialized();
        for (name, value) in fields {
            command.add_ext_field(*name, *value);
        }
        let command = if body.is_empty() { command } else { command.set_body(body) };
        // Futures so deep that the compiler gives up on whoever awaits them, without this type.
        let asking: BoxFuture<'_, RemotingCommand> = Box::pin(async {
            self.handle.start().await.unwrap();
            self.handle.invoke_remoting(&server.into(), command, 10_000).await.unwrap()
        });
        asking.await
    }
}

impl Drop for RocketMqClient {
    fn drop(&mut self) {
        // It is told to end where it runs; whoever drops this may be outside of every runtime.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let ending: BoxFuture<'_, ()> = Box::pin(self.handle.shutdown_owned());
            tokio::task::block_in_place(|| runtime.block_on(ending));
        }
    }
}
