//! A packer, from outside: a process that is started, killed and dismissed.

use super::{Depot, Register};
use crate::BrokerHarness;
use crate::child::Child;
use std::process::Command;

/// A child process. Dropped, it is killed.
pub struct Packer {
    number: u64,
    child: Child,
    register: Register,
}

impl Packer {
    /// Starts the program `packer`. What it says goes to the register, what it logs to a file in `logs`.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn hire<B: BrokerHarness, D: Depot>(
        number: u64,
        program: &str,
        broker: &B,
        depot: &D,
        register: &Register,
        logs: &tempfile::TempDir,
    ) -> Self {
        let mut command = Command::new(program);
        command.args([B::NAME, &broker.url(), D::NAME, &depot.url()]);
        let child = Child::start(format!("packer-{number}"), &mut command, logs, {
            let register = register.clone();
            move |line| register.hear(number, line)
        });
        Self { number, child, register: register.clone() }
    }

    /// Whether it has opened.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.register.is_open(self.number)
    }

    /// Whether it has received something.
    #[must_use]
    pub fn is_at_work(&self) -> bool {
        self.register.is_at_work(self.number)
    }

    /// Kills it with SIGKILL.
    ///
    /// # Panics
    /// It had ended by itself.
    pub fn kill(mut self) {
        self.child.kill();
        self.child.hear_out();
    }

    /// Lets it finish what it has.
    ///
    /// # Panics
    /// It failed.
    pub fn dismiss(mut self) {
        self.child.dismiss();
        self.child.hear_out();
    }

    /// The end of what it logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.child.log()
    }
}
