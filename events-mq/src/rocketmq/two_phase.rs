//! [`RocketMq`] as a two-phase transport: transactional messages, and answers to the brokers that ask about them.

use super::engine::Engine;
use super::transport::{RocketMq, Shared};
use super::{NAME, half, link, message};
use crate::failure::Failure;
use async_trait::async_trait;
use events_core::{DeliveryError, Envelope, Prepared, Resolution, TransactionChecker, TransactionId, TwoPhaseTransport};
use rocketmq_client_rust::{ClientConfig, LocalTransactionState, TransactionListener, TransactionMQProducer};
use rocketmq_model::common::message::{MessageTrait, message_ext::MessageExt};
use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::runtime::Handle;

/// How often it is looked whether anybody still wants answers, and how soon a start that failed is repeated.
const TICK: Duration = Duration::from_secs(1);
/// How often brokers hear that somebody answers, in milliseconds: the shortest that the library takes.
/// One that was started anew knows of nobody before.
const BEAT: u32 = 10_000;
/// How many questions are answered at the same time.
const QUESTIONS: u32 = 4;
/// How long a question may wait for its answer. Without one, it is asked again.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who answers, once that is known.
pub(super) struct Attendance {
    outbox: String,
    /// The group of producers that brokers ask: nobody else's, or they would ask somebody who cannot know.
    group: Arc<str>,
}

#[async_trait]
impl TwoPhaseTransport for RocketMq {
    fn name(&self) -> &str {
        &self.0.link.settings().name
    }

    async fn attend(&self, checker: Arc<dyn TransactionChecker>) -> Result<(), DeliveryError> {
        let shared = &self.0;
        let outbox = checker.outbox().to_owned();
        let group: Arc<str> = format!("{}-tx-{outbox}", shared.link.settings().producer_group).into();
        let known = shared.attendance.get_or_init(|| Attendance { outbox: outbox.clone(), group: Arc::clone(&group) });
        if known.outbox != outbox {
            return Err(DeliveryError::terminal(format!(
                "this connection to {NAME} answers for another outbox; make one for each with `RocketMq::connect`"
            )));
        }
        let engine = Engine::get().map_err(|failure| failure.for_delivery())?;
        let clerk = Clerk { checker, handle: Handle::current() };
        engine.spawn(attend(Arc::downgrade(shared), group, clerk));
        Ok(())
    }

    async fn prepare(&self, transaction: TransactionId, batch: &[Arc<Envelope>]) -> Result<Box<dyn Prepared>, DeliveryError> {
        let Some(attendance) = self.0.attendance.get() else {
            return Err(DeliveryError::terminal(format!(
                "{NAME} has nobody to ask; give the transport to `.two_phase(..)` of an outbox builder"
            )));
        };
        let halves = half::store(&self.0, &attendance.group, transaction, batch).await.map_err(|failure| failure.for_delivery())?;
        Ok(Box::new(halves))
    }
}

/// Is there to be asked until nobody wants answers any more.
async fn attend(shared: Weak<Shared>, group: Arc<str>, clerk: Clerk) {
    while !clerk.checker.is_gone() {
        let Some(there) = shared.upgrade() else { return };
        let mut producer = match there.clerk(&group, &clerk) {
            Ok(producer) => producer,
            Err(failure) => return tracing::error!(error = failure.text(), "the questions of {NAME} cannot be answered"),
        };
        drop(there);
        // Its futures are so deep that the compiler would give up on them, if they had not this type.
        let start: events_core::BoxFuture<'_, _> = Box::pin(producer.start());
        if let Err(error) = start.await {
            tracing::warn!(%error, group = &*group, "{NAME} cannot be told that its questions are answered here; trying again");
        } else {
            while !clerk.checker.is_gone() && shared.strong_count() > 0 {
                tokio::time::sleep(TICK).await;
            }
        }
        let end: events_core::BoxFuture<'_, _> = Box::pin(producer.shutdown());
        end.await;
        tokio::time::sleep(TICK).await;
    }
}

impl Shared {
    fn clerk(&self, group: &Arc<str>, clerk: &Clerk) -> Result<TransactionMQProducer, Failure> {
        static CLERKS: AtomicU64 = AtomicU64::new(0);
        let mut config = ClientConfig::default();
        config.set_namesrv_addr(self.link.address().replace(',', ";").into());
        config.set_instance_name(format!("{}-tx-{}", link::process(), CLERKS.fetch_add(1, Relaxed)).into());
        config.set_vip_channel_enabled(false);
        config.set_heartbeat_broker_interval(BEAT);
        config.set_poll_name_server_interval(BEAT);
        let mut builder = TransactionMQProducer::builder(Engine::get()?.shared_client())
            .client_config(config)
            .name_server_addr(self.link.address().replace(',', ";"))
            .producer_group(group.to_string())
            .topics(vec![self.link.settings().topic.clone()])
            .check_thread_pool_max_size(QUESTIONS)
            .transaction_listener(clerk.clone());
        if let Some(credentials) = self.link.credentials() {
            builder = builder.rpc_hook(credentials);
        }
        Ok(builder.build())
    }
}

/// Answers the brokers, on threads that may wait, by the runtime of the outbox.
#[derive(Clone)]
struct Clerk {
    checker: Arc<dyn TransactionChecker>,
    handle: Handle,
}

impl TransactionListener for Clerk {
    /// Nothing is sent by the library itself.
    fn execute_local_transaction(&self, _: &dyn MessageTrait, _: Option<&(dyn Any + Send + Sync)>) -> LocalTransactionState {
        LocalTransactionState::Unknown
    }

    fn check_local_transaction(&self, message: &MessageExt) -> LocalTransactionState {
        let Some(transaction) = message::transaction_of(message) else {
            tracing::error!(id = %message.msg_id(), "{NAME} asks about a message that names no transaction; it stays unanswered");
            return LocalTransactionState::Unknown;
        };
        let answer = async { tokio::time::timeout(PATIENCE, self.checker.check(transaction)).await };
        let resolution = self.handle.block_on(answer).unwrap_or(Resolution::Unknown);
        tracing::info!(%transaction, ?resolution, "{NAME} asked about a transaction");
        match resolution {
            Resolution::Commit => LocalTransactionState::CommitMessage,
            Resolution::Rollback => LocalTransactionState::RollbackMessage,
            Resolution::Unknown => LocalTransactionState::Unknown,
        }
    }
}
