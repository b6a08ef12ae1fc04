//! A process of the shop, from outside: started, killed, asked.

use super::{Blow, Orders, Sale, Site, now};
use crate::child::Child;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A child process. Dropped, it is killed.
pub struct Keeper {
    /// Its number.
    pub id: i64,
    child: Child,
    heard: Arc<Mutex<Heard>>,
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
        let heard = Arc::new(Mutex::new(Heard::default()));
        let mut command = Command::new(shopkeeper);
        command.args([S::NAME, url, &serde_json::to_string(orders).unwrap()]);
        let child = Child::start(format!("keeper-{}", orders.keeper), &mut command, logs, {
            let heard = Arc::clone(&heard);
            move |line| heard.lock().unwrap_or_else(PoisonError::into_inner).hear(line)
        });
        Self { id: orders.keeper, child, heard }
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
        self.child.kill();
        let ended = now();
        (self.hear_out(), Blow::Killed { keeper: self.id, begun, ended })
    }

    /// Tells it to sell nothing more.
    pub fn stop_selling(&mut self) {
        self.child.tell("stop");
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
        self.child.dismiss();
        self.hear_out()
    }

    fn hear_out(&mut self) -> Heard {
        self.child.hear_out();
        self.heard().clone()
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
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
