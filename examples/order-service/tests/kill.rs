//! The shop is killed with SIGKILL at random moments while it takes orders, again and again. In the end nothing is lost or invented.
//!
//! `KILL_ROUNDS` says how often (20), `KILL_SEED` repeats the moments of an earlier run.

use rand::{Rng, SeedableRng, rngs::StdRng};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// Short, so that what a killed process had under way is delivered again soon. Long enough that a lease never runs out in life.
const LEASE: &str = "2s";
/// The longest time a process may take orders before it is killed.
const LONGEST_LIFE: Duration = Duration::from_millis(250);

fn shop(database: &Path) -> Command {
    let mut shop = Command::new(env!("CARGO_BIN_EXE_order-service"));
    shop.arg("--database").arg(database).args(["--lease", LEASE, "--broker-failures", "0.1", "--decline", "0.2"]);
    shop
}

/// Runs the shop for `life` after it has opened, and kills it. Returns when, or `None` if it was done before.
fn run_and_kill(database: &Path, life: Duration) -> Option<i64> {
    let mut process = shop(database).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the shop starts");
    let stdout = process.stdout.take().expect("stdout is piped");
    let opened = BufReader::new(stdout).lines().next().expect("the shop says which database it opens").expect("UTF-8");
    assert!(opened.starts_with("database"), "{opened}");
    // This is no wait for something to happen: the moment of the kill is what is drawn at random.
    std::thread::sleep(life);
    let killed_at = now();
    process.kill().expect("the shop is killed");
    let status = process.wait().expect("the shop has ended");
    (status.signal() == Some(9)).then_some(killed_at)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_micros()).expect("before 294441")
}

#[tokio::test]
async fn committed_orders_survive_sigkill_and_rolled_back_ones_stay_unheard() {
    let variable = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().expect("a number"));
    let rounds = variable("KILL_ROUNDS").unwrap_or(20);
    let seed = variable("KILL_SEED").unwrap_or_else(|| rand::rng().random());
    println!("KILL_ROUNDS={rounds} KILL_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a temporary folder");

    // A killed shop takes some 50 orders; when all 830 are taken, a new shop opens.
    let (mut kills, mut shops, mut duplicates) = (0, 0, 0);
    while kills < rounds {
        shops += 1;
        let database = folder.path().join(format!("shop{shops}.db"));
        let mut kill_times = Vec::new();
        while kills < rounds {
            let life = dice.random_range(Duration::from_millis(5)..LONGEST_LIFE);
            match run_and_kill(&database, life) {
                Some(killed_at) => {
                    kill_times.push(killed_at);
                    kills += 1;
                }
                None => break,
            }
            if orders(&database).await >= 830 {
                break;
            }
        }
        let output = shop(&database).output().expect("the shop runs to its end");
        let stdout = String::from_utf8(output.stdout).expect("UTF-8");
        println!("{stdout}");
        assert!(output.status.success(), "after {} kills: {}", kill_times.len(), String::from_utf8_lossy(&output.stderr));
        let last = stdout.lines().last().unwrap_or_default();
        assert!(last.starts_with("orders=830 ") && last.ends_with(" lost=0 dead=0"), "{last}");
        assert_eq!(number(last, "events="), number(last, "delivered="), "{last}");
        duplicates += number(last, "duplicates=");
        every_second_receipt_follows_a_kill(&database, &kill_times).await;
    }
    println!("kills={kills} shops={shops} duplicates={duplicates}");
}

async fn orders(database: &Path) -> i64 {
    let pool = events_sqlx::sqlite::connect(database).await.expect("the database opens");
    let orders = sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(&pool).await.unwrap_or(0);
    pool.close().await;
    orders
}

/// A receipt is sent twice only if a delivery was under way when the process was killed: one receipt before a kill, the next after it.
async fn every_second_receipt_follows_a_kill(database: &Path, kill_times: &[i64]) {
    let pool = events_sqlx::sqlite::connect(database).await.expect("the database opens");
    let receipts: Vec<(String, i64)> =
        sqlx::query_as("SELECT event_id, sent_at FROM receipts ORDER BY event_id, sent_at").fetch_all(&pool).await.expect("receipts");
    for pair in receipts.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        let (first, second) = (pair[0].1, pair[1].1);
        let killed_between = kill_times.iter().any(|killed_at| (first..=second).contains(killed_at));
        assert!(killed_between, "the receipt of event {} was sent twice while nobody was killed: {first} and {second}", pair[0].0);
    }
    pool.close().await;
}

fn number(line: &str, name: &str) -> u64 {
    let value = line.split_whitespace().find_map(|word| word.strip_prefix(name)).expect("the last line names it");
    value.parse().expect("a number")
}
