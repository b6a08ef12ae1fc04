//! A cashier: takes payments whose events are RocketMQ's transactional messages, until it is killed, or its standard input ends.
//!
//! `cashier <rocketmq URL> <PostgreSQL URL> <first number> <doom>`. Each payment is a row of `business` and an event with the same number; of
//! eight, one is refused by its own code, and one by the database in COMMIT. Doom is `none`, `idle` (it only answers questions), or the point
//! at which the fifth payment kills the process: `prepared`, `committed`, `confirming`.

use async_trait::async_trait;
use events_core::{BoxFuture, DeliveryError, Envelope, Prepared, RelayOptions, TransactionChecker, TransactionId, TwoPhaseTransport};
use events_mq::rocketmq::RocketMq;
use events_sqlx::postgres::{Outbox, UnitOfWork};
use events_tests::events::Sent;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// Payments that are under way at the same time.
const TILLS: usize = 4;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing_subscriber::filter::LevelFilter::WARN).init();
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [broker, database, first, doom] = given.as_slice() else {
        anyhow::bail!("usage: cashier <rocketmq URL> <PostgreSQL URL> <first number> <doom>");
    };
    let next = Arc::new(AtomicI64::new(first.parse()?));
    let doomed = Doomed { inner: RocketMq::connect(broker).await?, doom: doom.parse()?, left: Arc::new(AtomicU32::new(5)) };
    let limits = RelayOptions { transaction_lifetime: Duration::from_secs(1), ..RelayOptions::default() };
    let builder = Outbox::builder(sqlx::PgPool::connect(database).await?).without_linked_handlers().event::<Sent>();
    let outbox = builder.two_phase(doomed.clone()).relay(limits).start().await?;
    println!("open");
    if doomed.doom != Doom::Idle {
        for _ in 0..TILLS {
            tokio::spawn(till(outbox.clone(), Arc::clone(&next)));
        }
    }
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    outbox.shutdown().await;
    Ok(())
}

/// Takes one payment after the other.
async fn till(outbox: Outbox, next: Arc<AtomicI64>) {
    loop {
        let n = next.fetch_add(1, Relaxed);
        let paid = outbox.run(async move |uow: &mut UnitOfWork| -> anyhow::Result<()> {
            sqlx::query("INSERT INTO business (n) VALUES ($1)").bind(n).execute(uow.conn()).await?;
            uow.publish(Sent { line: n, step: 0 })?;
            if n % 8 == 3 {
                anyhow::bail!("the customer has left");
            }
            if n % 8 == 7 {
                // Only COMMIT finds out that this is there already.
                sqlx::query("INSERT INTO strict (n) VALUES (0)").execute(uow.conn()).await?;
            }
            Ok(())
        });
        // Others fail when it is refused, or when the broker is away.
        assert!(paid.await.is_err() || n % 8 != 7, "{n} cannot have been committed");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doom {
    None,
    Idle,
    Prepared,
    Committed,
    Confirming,
}

impl std::str::FromStr for Doom {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        Ok(match text {
            "none" => Self::None,
            "idle" => Self::Idle,
            "prepared" => Self::Prepared,
            "committed" => Self::Committed,
            "confirming" => Self::Confirming,
            other => anyhow::bail!("there is no doom `{other}`"),
        })
    }
}

/// RocketMQ, and a point at which the process dies.
#[derive(Clone)]
struct Doomed {
    inner: RocketMq,
    doom: Doom,
    /// How many payments reach that point before it does.
    left: Arc<AtomicU32>,
}

impl Doomed {
    /// Kills this process with SIGKILL, if this is the point and the time.
    async fn reach(&self, point: Doom) {
        if self.doom == point && self.left.fetch_sub(1, Relaxed) == 1 {
            die().await;
        }
    }
}

async fn die() {
    std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status().expect("`kill` is there");
    std::future::pending::<()>().await;
}

#[async_trait]
impl TwoPhaseTransport for Doomed {
    fn name(&self) -> &str {
        TwoPhaseTransport::name(&self.inner)
    }

    async fn attend(&self, checker: Arc<dyn TransactionChecker>) -> Result<(), DeliveryError> {
        self.inner.attend(checker).await
    }

    async fn prepare(&self, transaction: TransactionId, batch: &[Arc<Envelope>]) -> Result<Box<dyn Prepared>, DeliveryError> {
        let inner = self.inner.prepare(transaction, batch).await?;
        self.reach(Doom::Prepared).await;
        Ok(Box::new(DoomedHalf { doomed: self.clone(), inner }))
    }
}

struct DoomedHalf {
    doomed: Doomed,
    inner: Box<dyn Prepared>,
}

impl Prepared for DoomedHalf {
    fn confirm(self: Box<Self>) -> BoxFuture<'static, Result<(), DeliveryError>> {
        Box::pin(async move {
            self.doomed.reach(Doom::Committed).await;
            let telling = tokio::spawn(self.inner.confirm());
            // Perhaps the broker has heard it by now, perhaps not.
            tokio::time::sleep(Duration::from_micros(rand::random_range(0..3_000))).await;
            self.doomed.reach(Doom::Confirming).await;
            telling.await.expect("it does not panic")
        })
    }

    fn cancel(self: Box<Self>) -> BoxFuture<'static, Result<(), DeliveryError>> {
        self.inner.cancel()
    }
}
