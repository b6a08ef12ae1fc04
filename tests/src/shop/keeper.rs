//! A process of the shop, from outside: started, killed, asked.

use super::{Blow, Orders, Sale, Site, now};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::{fs::File, path::PathBuf};

/// A child process. Dropped, it is killed.
pub struct Keeper {
    /// Its number.
    pub id: i64,
    process: Child,
    orders: Option<ChildStdin>,
    heard: Arc<Mutex<Heard>>,
    listener: Option<JoinHandle<()>>,
    log: PathBuf,
}

/// What a process said.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Its sales that have ended.
    pub sales: Vec<Sale>,
    /// How many leases it noticed it had lost.
    pub lease_lost: u64,
    /// Its deliveries that failed and were retried.
    pub retried: u64,
    /// Its dead letters.
    pub dead: u64,
    open: bool,
    quiet: bool,
}

impl Keeper {
    /// Starts the program `shopkeeper`. What it logs goes to a file in `logs`.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn hire<S: Site>(shopkeeper: &str, url: &str, orders: &Orders, logs: &tempfile::TempDir) -> Self {
        let log = logs.path().join(format!("keeper-{}", orders.keeper));
        let mut process = Command::new(shopkeeper)
            .args([S::NAME, url, &serde_json::to_string(orders).unwrap()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{shopkeeper} does not start: {error}"));
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take().expect("it is piped"));
        let heard = Arc::new(Mutex::new(Heard::default()));
        let listener = std::thread::spawn({
            let heard = Arc::clone(&heard);
            move || {
                let mut lines = BufReader::new(stdout);
                let mut line = String::new();
                // What has no end of line was cut short by the kill.
                while lines.read_line(&mut line).is_ok() && line.ends_with('\n') {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).hear(line.trim_end_matches('\n'));
                    line.clear();
                }
            }
        });
        Self { id: orders.keeper, process, orders: stdin, heard, listener: Some(listener), log }
    }

    /// Whether it has opened.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.heard().open
    }

    /// Kills it with SIGKILL.
    ///
    /// # Panics
    /// It had ended by itself.
    pub fn kill(mut self) -> (Heard, Blow) {
        let begun = now();
        self.process.kill().unwrap();
        let status = self.process.wait().unwrap();
        let ended = now();
        assert_eq!(status.signal(), Some(9), "process {} ended by itself ({status}):\n{}", self.id, self.log());
        (self.hear_out(), Blow::Killed { keeper: self.id, begun, ended })
    }

    /// Tells it to sell nothing more.
    pub fn stop_selling(&mut self) {
        if let Some(orders) = &mut self.orders {
            let _ = orders.write_all(b"stop\n");
        }
    }

    /// Whether it has stopped selling.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.heard().quiet
    }

    /// Lets it shut down.
    ///
    /// # Panics
    /// It failed.
    pub fn dismiss(mut self) -> Heard {
        drop(self.orders.take());
        let status = self.process.wait().unwrap();
        assert!(status.success(), "process {} failed ({status}):\n{}", self.id, self.log());
        self.hear_out()
    }

    /// The end of what it logged.
    #[must_use]
    pub fn log(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn hear_out(&mut self) -> Heard {
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        self.heard().clone()
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Heard {
    fn hear(&mut self, line: &str) {
        if let Some(sale) = Sale::from_line(line) {
            self.sales.push(sale);
            return;
        }
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("`{line}`: no number"));
        match line.split_once(' ') {
            Some(("lease_lost", count)) => self.lease_lost = number(count),
            Some(("retried", count)) => self.retried = number(count),
            Some(("dead", count)) => self.dead = number(count),
            _ if line == "open" => self.open = true,
            _ if line == "quiet" => self.quiet = true,
            _ => panic!("a shopkeeper said `{line}`"),
        }
    }

    /// Adds what another process said.
    pub fn add(&mut self, other: Self) {
        self.sales.extend(other.sales);
        self.lease_lost += other.lease_lost;
        self.retried += other.retried;
        self.dead += other.dead;
    }
}
