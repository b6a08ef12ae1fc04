//! bank1 and bank2 are processes of their own, with a broker between them, and are killed with SIGKILL at random moments, again and again.
//! In the end the money of both is what it was, and every transfer has ended once.
//!
//! `KILL_ROUNDS` says how often (8), `KILL_SEED` repeats the moments of an earlier run.

use events_tests::servers::NatsServer;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::{fs::File, time::Duration};

/// Short, so that what a killed process had under way comes again soon. Long enough that a lease never runs out in life.
const LEASE: &str = "2s";
/// The longest time that both live before somebody is killed.
const LONGEST_LIFE: Duration = Duration::from_millis(600);
/// How many transfers there are, and how many more whenever all have ended before the last kill.
const MORE: i64 = 200;
/// What the accounts of bank1 open with, and those of bank2.
const MONEY: i64 = 200_000_000;

/// A bank as a process. Dropped, it is killed.
struct Process {
    child: Child,
    _stdout: BufReader<ChildStdout>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The stage: a folder for the databases, and a broker.
struct Stage {
    folder: tempfile::TempDir,
    nats: NatsServer,
}

impl Stage {
    fn command(&self, transfers: i64) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bank-transfer"));
        let (database, broker) = (format!("sqlite:{}", self.folder.path().display()), format!("nats://127.0.0.1:{}", self.nats.port()));
        command.args(["--database", &database, "--broker", &broker, "--lease", LEASE, "--transfers", &transfers.to_string()]);
        command
    }

    /// Starts a bank, and waits until it is open.
    fn start(&self, bank: &str, transfers: i64) -> Process {
        let log = File::options().create(true).append(true).open(self.log(bank)).expect("a log");
        let mut child = self.command(transfers).arg(bank).stdout(Stdio::piped()).stderr(log).spawn().expect("the bank starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("UTF-8");
        let process = Process { child, _stdout: stdout };
        assert!(line.starts_with(&format!("{bank} is open")), "{bank} said `{line}`:\n{}", self.logs());
        process
    }

    fn log(&self, bank: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("{bank}.log"))
    }

    fn logs(&self) -> String {
        ["bank1", "bank2"].map(|bank| std::fs::read_to_string(self.log(bank)).unwrap_or_default()).concat()
    }
}

#[tokio::test]
async fn money_survives_sigkill_of_both_banks() {
    let variable = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().expect("a number"));
    let rounds = variable("KILL_ROUNDS").unwrap_or(8);
    let seed = variable("KILL_SEED").unwrap_or_else(|| rand::rng().random());
    println!("KILL_ROUNDS={rounds} KILL_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let stage = Stage { folder: tempfile::tempdir().expect("a temporary folder"), nats: NatsServer::start() };

    let (mut transfers, mut bank1, mut bank2) = (MORE, None, None);
    let mut kills = [0, 0];
    for _ in 0..rounds {
        bank2.get_or_insert_with(|| stage.start("bank2", transfers));
        bank1.get_or_insert_with(|| stage.start("bank1", transfers));
        // This is no wait for something to happen: the moment of the kill is what is drawn at random.
        std::thread::sleep(dice.random_range(Duration::from_millis(5)..LONGEST_LIFE));
        let victims = [[true, false], [false, true], [true, true]].choose(&mut dice).copied().unwrap_or_default();
        for (place, bank) in [&mut bank1, &mut bank2].into_iter().enumerate().filter(|(place, _)| victims[*place]) {
            let Some(mut killed) = bank.take() else { continue };
            killed.child.kill().expect("it is killed");
            match killed.child.wait().expect("it has ended").signal() {
                Some(9) => kills[place] += 1,
                // It was quicker, as bank1 may be when all transfers have ended; whether they have, is seen below.
                _ => *bank = Some(killed),
            }
        }
        if let Some(mut done) = bank1.take_if(|bank1| bank1.child.try_wait().is_ok_and(|status| status.is_some())) {
            let status = done.child.wait().expect("it has ended");
            assert!(status.success(), "bank1 ended with {status}:\n{}", stage.logs());
            transfers += MORE;
        }
        let bank2_died = bank2.as_mut().is_some_and(|bank2| bank2.child.try_wait().is_ok_and(|status| status.is_some()));
        assert!(!bank2_died, "bank2 ended by itself:\n{}", stage.logs());
    }
    drop((bank1, bank2));

    let output = stage.command(transfers).output().expect("both banks run to their end");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    println!("{said}\nkills: bank1 {}, bank2 {}", kills[0], kills[1]);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let last = said.lines().last().unwrap_or_default();
    assert!(last.starts_with(&format!("transfers={transfers} total_before={MONEY} total_after={MONEY} ")), "{last}");
    assert!(last.ends_with(" lost=0"), "{last}");

    // What the program says of itself is not taken on trust.
    let (cents1, unended) = sum(&stage.folder.path().join("bank1.db"), "SELECT count(*) FROM transfers WHERE state = 'requested'").await;
    let twice = "SELECT count(*) FROM (SELECT 1 FROM entries GROUP BY transfer_id HAVING count(*) > 1)";
    let (cents2, twice) = sum(&stage.folder.path().join("bank2.db"), twice).await;
    assert_eq!((cents1 + cents2, unended, twice), (MONEY, 0, 0));
}

/// The money of a bank, and a count.
async fn sum(database: &Path, count: &'static str) -> (i64, i64) {
    let pool = events_sqlx::sqlite::connect(database).await.expect("the database opens");
    let cents = sqlx::query_scalar("SELECT sum(balance_cents) FROM accounts").fetch_one(&pool).await.expect("accounts");
    let count = sqlx::query_scalar(count).fetch_one(&pool).await.expect("a count");
    pool.close().await;
    (cents, count)
}
