//! Two relay daemons on one PostgreSQL, and a NATS server.

use crate::shop::{program, write};
use events_core::test_kit::wait_until;
use events_core::{Subscription, publish};
use events_mq::nats::Nats;
use events_sqlx::{Console, Outbox, UnitOfWork};
use events_tests::events::Sent;
use events_tests::{Harness, OnPostgres, OnSqlite, servers::NatsServer};
use sqlx::Postgres;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A daemon; killed when it is dropped.
struct Daemon {
    child: Child,
    log: std::path::PathBuf,
}

impl Daemon {
    fn start(folder: &Path, name: &str, arguments: &[&str]) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = || File::options().create(true).append(true).open(&log).unwrap();
        let child =
            program().arg("relay").args(arguments).env("RUST_LOG", "info").stdout(Stdio::from(file())).stderr(Stdio::from(file())).spawn();
        Self { child: child.unwrap(), log }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    async fn ended(&mut self) -> i32 {
        let child = &mut self.child;
        let mut code = None;
        wait_until("the daemon has ended", async || {
            code = child.try_wait().unwrap();
            code.is_some()
        })
        .await;
        code.and_then(|status| status.code()).unwrap_or(-1)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A service that publishes for NATS and delivers nothing itself.
async fn publisher(postgres: &OnPostgres, nats: &Nats) -> Outbox<Postgres> {
    let builder = Outbox::builder(postgres.connect().await).without_linked_handlers().event::<Sent>().transport(nats.clone());
    builder.publish_only().start().await.unwrap()
}

async fn send(outbox: &Outbox<Postgres>, steps: std::ops::Range<i64>) {
    for step in steps {
        outbox.run(async |_: &mut UnitOfWork<Postgres>| publish(Sent { line: step % 7, step })).await.unwrap();
    }
}

/// Everything that comes until it is all there; how often each step came.
async fn hear(subscription: &mut dyn Subscription, steps: i64) -> BTreeMap<i64, u32> {
    let mut seen: BTreeMap<i64, u32> = BTreeMap::new();
    let mut last: BTreeMap<i64, i64> = BTreeMap::new();
    let hear = async {
        while (seen.len() as i64) < steps {
            let received = subscription.next().await.unwrap();
            let event: Sent = received.envelope().open().unwrap();
            let first = seen.entry(event.step).or_default();
            *first += 1;
            if *first == 1 {
                let before = last.insert(event.line, event.step);
                assert!(before.is_none_or(|before| before < event.step), "in the order of its line: {before:?}, {event:?}");
            }
            received.ack().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(90), hear).await.unwrap_or_else(|_| panic!("{} of {steps} came", seen.len()));
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_leader_is_killed_the_other_takes_over_and_nothing_is_lost() {
    let (postgres, server, folder) = (OnPostgres::fresh().await, NatsServer::start(), tempfile::tempdir().unwrap());
    let url = format!("nats://127.0.0.1:{}", server.port());
    let nats = Nats::connect(&url).await.unwrap();
    let mut hearer = nats.subscribe("hearer").topics("test.sent").open().await.unwrap();
    let outbox = publisher(&postgres, &nats).await;
    let database = postgres.url();
    // Two seconds, where thirty are the default: the test must not take that long. What is measured is a part of it.
    let lease = Duration::from_secs(2);
    let arguments = ["-d", &*database, "--to", &*url, "--lease", "2s", "--poll", "100ms"];
    let mut first = Daemon::start(folder.path(), "first", &arguments);
    let console = Console::connect(&database, None).await.unwrap();
    let scans = async || console.leads().await.unwrap().into_iter().find(|lead| lead.name == "scanner" && lead.expires_in.is_some());
    wait_until("the first leads", async || scans().await.is_some()).await;
    let led = scans().await.unwrap().owner;
    let second = Daemon::start(folder.path(), "second", &arguments);
    wait_until("the second stands by", async || {
        console.processes().await.unwrap().iter().filter(|process| !process.report.publish_only).count() == 2
    })
    .await;
    assert_eq!(scans().await.unwrap().owner, led, "there is one leader");
    send(&outbox, 0..300).await;
    // In the middle of its work, for whatever that is worth: something of the first part has arrived.
    first.signal("-KILL");
    let killed = Instant::now();
    first.ended().await;
    wait_until("the second leads", async || scans().await.is_some_and(|lead| lead.owner != led)).await;
    let took = killed.elapsed();
    send(&outbox, 300..600).await;
    let seen = hear(&mut hearer, 600).await;
    let all = killed.elapsed();
    let repeated = seen.values().filter(|times| **times > 1).count();
    println!("failover: lease {lease:?}, the other led after {took:?}, everything had arrived after {all:?}; lost=0 repeated={repeated}");
    // A lease, and some polls and trips of a busy machine.
    assert!(took < lease + Duration::from_secs(5), "{took:?}");
    wait_until("everything is settled", async || outbox.waiting().await.unwrap() == 0).await;
    let mut second = second;
    second.signal("-TERM");
    assert_eq!(second.ended().await, 0, "{}", second.said());
    assert!(second.said().contains("drained"), "{}", second.said());
    assert!(scans().await.is_none(), "who is told to end resigns");
    outbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sighup_reloads_the_list_of_databases_and_handlers_rows_are_left_alone() {
    let (postgres, server, folder) = (OnPostgres::fresh().await, NatsServer::start(), tempfile::tempdir().unwrap());
    let url = format!("nats://127.0.0.1:{}", server.port());
    let nats = Nats::connect(&url).await.unwrap();
    let mut hearer = nats.subscribe("hearer").topics("test.sent").open().await.unwrap();
    // A delivery of a handler, which no daemon has.
    let with_handler = Outbox::builder(postgres.connect().await).without_linked_handlers().event::<Sent>().transport(nats.clone());
    let outbox = with_handler.handler::<events_tests::events::note>().publish_only().start().await.unwrap();
    outbox.run(async |_: &mut UnitOfWork<Postgres>| publish(events_tests::events::Noted { n: 1 })).await.unwrap();
    send(&outbox, 0..20).await;

    let lite = OnSqlite::fresh().await;
    let lite_path = lite.0.path().join("a.db");
    let lite_outbox = {
        let builder = Outbox::builder(lite.connect().await).without_linked_handlers().event::<Sent>().transport(nats.clone());
        builder.publish_only().start().await.unwrap()
    };
    lite_outbox.run(async |_: &mut UnitOfWork<sqlx::Sqlite>| publish(Sent { line: 100, step: 20 })).await.unwrap();
    let one = format!(
        "[broker]\nurl = \"{url}\"\n[relay]\npoll = \"50ms\"\n[[database]]\nname = \"lite\"\nurl = \"sqlite:{}\"\n",
        lite_path.display()
    );
    let config = write(folder.path(), "outbox.toml", &one);
    let mut daemon = Daemon::start(folder.path(), "daemon", &["--config", &config]);
    assert_eq!(hear(&mut hearer, 1).await.keys().collect::<Vec<_>>(), [&20], "only the first database");
    // A slip of the pen changes nothing.
    write(folder.path(), "outbox.toml", "[[databse]]");
    daemon.signal("-HUP");
    wait_until("the mistake is told", async || daemon.said().contains("was not reloaded")).await;
    let both = format!("{one}[[database]]\nname = \"post\"\nurl = \"{}\"\n", postgres.url());
    write(folder.path(), "outbox.toml", &both);
    daemon.signal("-HUP");
    assert_eq!(hear(&mut hearer, 20).await.len(), 20, "{}", daemon.said());
    wait_until("only the handler's delivery is left", async || outbox.waiting().await.unwrap() == 1).await;
    write(folder.path(), "outbox.toml", &one);
    daemon.signal("-HUP");
    wait_until("the database is let go", async || daemon.said().contains("removed=1")).await;
    send(&outbox, 100..101).await;
    lite_outbox.run(async |_: &mut UnitOfWork<sqlx::Sqlite>| publish(Sent { line: 100, step: 21 })).await.unwrap();
    assert_eq!(hear(&mut hearer, 1).await.keys().collect::<Vec<_>>(), [&21], "the other one goes on");
    assert_eq!(outbox.waiting().await.unwrap(), 2, "what was let go is not relayed any more");
    daemon.signal("-TERM");
    assert_eq!(daemon.ended().await, 0);
    outbox.shutdown().await;
    lite_outbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_is_ready_when_its_databases_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let server = NatsServer::start();
    let path = folder.path().join("late.db");
    let (database, broker) = (format!("late=sqlite:{}", path.display()), format!("nats://127.0.0.1:{}", server.port()));
    let daemon = Daemon::start(folder.path(), "daemon", &["-d", &database, "--to", &broker, "--listen", "127.0.0.1:0"]);
    wait_until("it listens", async || daemon.said().contains("metrics and health at")).await;
    let address = daemon.said().split("metrics and health at ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let ask = async |path: &str| {
        let answer = reqwest::get(format!("{address}{path}")).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(ask("/live").await.0, 200);
    wait_until("it says what is missing", async || ask("/ready").await.1.contains("check the path")).await;
    assert_eq!(ask("/ready").await.0, 503);
    let pool = events_sqlx::sqlite::connect(&path).await.unwrap();
    events_sqlx::migrate(&pool).await.unwrap();
    wait_until("it is ready", async || ask("/ready").await.0 == 200).await;
    wait_until("the database is sampled", async || ask("/metrics").await.1.contains("outbox_blocked_keys{outbox=\"late\"} 0")).await;
}
