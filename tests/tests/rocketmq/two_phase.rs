//! Transactional messages: exactly those are seen whose transaction has committed, whoever dies in between.

use super::builder;
use async_trait::async_trait;
use events_core::test_kit::{wait_until, wait_until_within};
use events_core::{
    DeliveryError, Envelope, Error, Prepared, RelayOptions, Subscription, TransactionChecker, TransactionId, TwoPhaseTransport,
};
use events_mq::rocketmq::RocketMq;
use events_sqlx::postgres::{Outbox, UnitOfWork};
use events_tests::events::Sent;
use events_tests::servers::RocketMqServer;
use events_tests::{BrokerHarness, Harness, OnPostgres, OnRocketMq, Scene};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

const LIFETIME: Duration = Duration::from_secs(1);
/// Brokers look once a second at what is older than two, and an answer that says no takes a lifetime more. One that was started anew hears within ten who answers.
const PATIENCE: Duration = Duration::from_secs(120);

/// Who consumes, and what it has seen.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<Vec<i64>>>);

impl Ledger {
    async fn of(rocketmq: &RocketMq) -> Self {
        let ledger = Self::default();
        let mut subscription = rocketmq.subscribe("ledger").open().await.unwrap();
        let seen = ledger.clone();
        tokio::spawn(async move {
            while let Some(received) = subscription.next().await {
                seen.0.lock().unwrap().push(received.envelope().open::<Sent>().unwrap().line);
                // One that is not acknowledged comes again.
                let _ = received.ack().await;
            }
        });
        ledger
    }

    fn seen(&self) -> BTreeSet<i64> {
        self.0.lock().unwrap().iter().copied().collect()
    }

    fn times(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// A database for cashiers, which has what COMMIT refuses.
async fn shop() -> Scene<OnPostgres> {
    let scene = Scene::<OnPostgres>::new().await;
    scene.execute("CREATE TABLE strict (n BIGINT UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO strict VALUES (0)").await;
    events_sqlx::migrate(&Harness::connect(&scene.harness).await).await.unwrap();
    scene
}

/// What was committed.
async fn paid(scene: &Scene<OnPostgres>) -> BTreeSet<i64> {
    scene.business().await.into_iter().collect()
}

struct Cashier {
    process: Child,
    stdin: Option<ChildStdin>,
}

impl Cashier {
    fn hire(server: &RocketMqServer, scene: &Scene<OnPostgres>, first: i64, doom: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cashier"));
        let broker = format!("rocketmq://127.0.0.1:{}", server.port());
        command.args([&broker, &scene.harness.url(), &first.to_string(), doom]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
        Self { stdin: process.stdin.take(), process }
    }

    /// Waits until it has died by SIGKILL.
    async fn mourn(mut self) {
        let mut status = None;
        wait_until("the cashier has died", async || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        })
        .await;
        assert_eq!(status.unwrap().signal(), Some(9));
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        assert_eq!(self.process.wait().unwrap().signal(), Some(9), "it had ended by itself");
    }

    fn dismiss(mut self) {
        drop(self.stdin.take());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Cashier {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until exactly what was paid is seen. Nothing more can come: whatever a broker still asks about, it is not told to show.
async fn settle(scene: &Scene<OnPostgres>, ledger: &Ledger) {
    let settled = async || ledger.seen() == paid(scene).await;
    if !wait_until_within(PATIENCE, settled).await {
        let (seen, paid) = (ledger.seen(), paid(scene).await);
        let (invented, lost): (Vec<_>, Vec<_>) = (seen.difference(&paid).collect(), paid.difference(&seen).collect());
        panic!("invented: {invented:?}; lost: {lost:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_commits_is_seen_and_what_rolls_back_never_is() {
    // Requests are signed, those of the checks too.
    let (broker, scene) = (OnRocketMq::start().await, shop().await);
    let rocketmq = broker.builder("s3cretpass").connect().await.unwrap();
    let ledger = Ledger::of(&rocketmq).await;
    // Nobody asks before it is told, so nothing comes twice.
    let outbox = outbox(&scene, rocketmq, Duration::from_secs(60)).await;
    for n in 0..40 {
        let paid = pay(&outbox, n, n % 4 == 3).await;
        assert_eq!(paid.is_ok(), n % 4 != 3, "{paid:?}");
    }
    settle(&scene, &ledger).await;
    assert_eq!((ledger.seen().len(), scene.count("outbox").await, scene.count("outbox_tx").await), (30, 0, 30));
    assert_eq!((ledger.times(), outbox.stats().confirmed), (30, 30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_at_each_point_another_process_answers() {
    let (server, scene) = (RocketMqServer::start(), shop().await);
    let ledger = Ledger::of(&builder(&server).connect().await.unwrap()).await;
    let clerk = Cashier::hire(&server, &scene, 0, "idle");
    for (first, doom) in [(1_000, "prepared"), (2_000, "committed"), (3_000, "confirming")] {
        Cashier::hire(&server, &scene, first, doom).mourn().await;
        assert!(paid(&scene).await.range(first..first + 1_000).next().is_some(), "some were paid before it died");
        settle(&scene, &ledger).await;
        println!("killed when {doom}: {} paid, seen {} times", ledger.seen().len(), ledger.times());
    }
    // The one that had not committed was given up.
    wait_until("it is given up", async || scene.count("outbox_tx WHERE state = 2").await > 0).await;
    settle(&scene, &ledger).await;
    clerk.dismiss();
}

/// `TWO_PHASE_KILLS` (6) processes are killed; by hand 200.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_killed_at_random_moments_lose_and_invent_nothing() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |value| value.parse().unwrap());
    let (kills, seed) = (number("TWO_PHASE_KILLS", 6), number("TWO_PHASE_SEED", rand::rng().random_range(0..1_000_000)));
    println!("TWO_PHASE_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let (server, scene) = (RocketMqServer::start(), shop().await);
    let ledger = Ledger::of(&builder(&server).connect().await.unwrap()).await;
    let mut next = 1;
    let mut hire = || {
        next += 1;
        Cashier::hire(&server, &scene, next * 1_000_000, "none")
    };
    let mut cashiers = vec![hire(), hire()];
    let begun = Instant::now();
    for _ in 0..kills {
        let before = paid(&scene).await.len();
        wait_until("more is paid", async || paid(&scene).await.len() > before + 5).await;
        // The moment of the kill is what is drawn at random.
        tokio::time::sleep(Duration::from_millis(dice.random_range(0..300))).await;
        cashiers.swap_remove(dice.random_range(0..2)).kill();
        cashiers.push(hire());
    }
    let clerk = Cashier::hire(&server, &scene, 0, "idle");
    cashiers.into_iter().for_each(Cashier::dismiss);
    settle(&scene, &ledger).await;
    let committed = scene.count("outbox_tx WHERE state = 1").await;
    println!(
        "two-phase: kills={kills} paid={} seen={} duplicates={} given_up={} in {:.1?}",
        committed,
        ledger.seen().len(),
        ledger.times() - ledger.seen().len(),
        scene.count("outbox_tx WHERE state = 2").await,
        begun.elapsed(),
    );
    assert_eq!(committed, i64::try_from(ledger.seen().len()).unwrap());
    clerk.dismiss();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_slower_than_the_first_question_is_unknown_and_then_seen() {
    let (server, scene) = (RocketMqServer::start(), shop().await);
    scene
        .execute(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(6); RETURN NULL; END $$; \
             CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON business DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle()",
        )
        .await;
    let rocketmq = builder(&server).connect().await.unwrap();
    let ledger = Ledger::of(&rocketmq).await;
    let outbox = outbox(&scene, rocketmq, LIFETIME).await;
    let paying = tokio::spawn({
        let outbox = outbox.clone();
        async move { pay(&outbox, 1, false).await }
    });
    wait_until("the broker asks", async || outbox.stats().checked > 0).await;
    assert!(!paying.is_finished() && ledger.seen().is_empty(), "it is still committing");
    paying.await.unwrap().unwrap();
    settle(&scene, &ledger).await;
    assert_eq!(ledger.seen(), [1].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_slower_than_its_lifetime_fails_and_is_never_seen() {
    let (server, scene) = (RocketMqServer::start(), shop().await);
    let rocketmq = builder(&server).connect().await.unwrap();
    let ledger = Ledger::of(&rocketmq).await;
    let slow = Interrupted { inner: rocketmq, meanwhile: Arc::new(|| std::thread::sleep(LIFETIME)), once: Arc::new(Once::new()) };
    let outbox = outbox(&scene, slow, LIFETIME).await;
    let error = pay(&outbox, 1, false).await.unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(Error::TransactionTooSlow { .. })), "{error:?}");
    pay(&outbox, 2, false).await.unwrap();
    settle(&scene, &ledger).await;
    wait_until("the broker was told", async || outbox.in_flight() == 0).await;
    assert_eq!(ledger.seen(), [2].into());
}

/// As brokers come, they survive their death with what they have confirmed, because it is in the memory of the operating system. What they
/// cannot promise without `SYNC_FLUSH`: that it survives the death of the machine. Then a transaction has committed whose event nobody has,
/// and nobody asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_killed_between_prepare_and_confirm_asks_when_it_is_back() {
    let (server, scene) = (Arc::new(RocketMqServer::start()), shop().await);
    let rocketmq = builder(&server).connect().await.unwrap();
    let ledger = Ledger::of(&rocketmq).await;
    let killing = {
        let server = Arc::clone(&server);
        Arc::new(move || server.kill())
    };
    let outbox = outbox(&scene, Interrupted { inner: rocketmq, meanwhile: killing, once: Arc::new(Once::new()) }, LIFETIME).await;
    pay(&outbox, 1, false).await.unwrap();
    wait_until_within(PATIENCE, async || outbox.stats().unconfirmed == 1).await;
    // Nothing can be committed while it is away, and so nothing is lost.
    assert!(pay(&outbox, 2, false).await.is_err());
    tokio::task::spawn_blocking({
        let server = Arc::clone(&server);
        move || server.start_again()
    })
    .await
    .unwrap();
    settle(&scene, &ledger).await;
    assert_eq!(ledger.seen(), [1].into());
    let again = async || pay(&outbox, 3, false).await.is_ok();
    assert!(wait_until_within(PATIENCE, again).await);
    settle(&scene, &ledger).await;
}

async fn outbox(scene: &Scene<OnPostgres>, transport: impl TwoPhaseTransport, lifetime: Duration) -> Outbox {
    let limits = RelayOptions { transaction_lifetime: lifetime, call_timeout: Duration::from_secs(10), ..RelayOptions::default() };
    scene.process().await.event::<Sent>().two_phase(transport).relay(limits).start().await.unwrap()
}

async fn pay(outbox: &Outbox, n: i64, refused_by_commit: bool) -> anyhow::Result<()> {
    outbox
        .run(async move |uow: &mut UnitOfWork| -> anyhow::Result<()> {
            sqlx::query("INSERT INTO business (n) VALUES ($1)").bind(n).execute(uow.conn()).await?;
            uow.publish(Sent { line: n, step: 0 })?;
            if refused_by_commit {
                sqlx::query("INSERT INTO strict (n) VALUES (0)").execute(uow.conn()).await?;
            }
            Ok(())
        })
        .await
}

/// RocketMQ; once, something happens after it has stored the events.
#[derive(Clone)]
struct Interrupted {
    inner: RocketMq,
    meanwhile: Arc<dyn Fn() + Send + Sync>,
    once: Arc<Once>,
}

#[async_trait]
impl TwoPhaseTransport for Interrupted {
    fn name(&self) -> &str {
        TwoPhaseTransport::name(&self.inner)
    }

    async fn attend(&self, checker: Arc<dyn TransactionChecker>) -> Result<(), DeliveryError> {
        self.inner.attend(checker).await
    }

    async fn prepare(&self, transaction: TransactionId, batch: &[Arc<Envelope>]) -> Result<Box<dyn Prepared>, DeliveryError> {
        let prepared = self.inner.prepare(transaction, batch).await?;
        tokio::task::block_in_place(|| self.once.call_once(|| (self.meanwhile)()));
        Ok(prepared)
    }
}
