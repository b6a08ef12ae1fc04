//! The limits of a relay.

use crate::BuildError;
use std::sync::Arc;
use std::time::Duration;

/// A delivery takes at least this much of the hand-over memory, for its envelope and its lease, in bytes.
pub(crate) const MEMORY_UNIT: usize = 1024;

/// Limits of a relay.
#[derive(Clone, Debug)]
pub struct RelayOptions {
    /// What metrics call the outbox, so that several in one process can be told apart. Default `default`.
    pub name: Arc<str>,
    /// How long a lease lasts. After a SIGKILL everything is redelivered within lease plus poll interval. Default 30 s.
    pub lease: Duration,
    /// How long the scanner pauses at most, with jitter, when nothing wakes it; while it finds something it looks up to 16 times as
    /// often, but not more than every 5 ms. Default 1 s.
    pub poll: Duration,
    /// How many deliveries the scanner leases at once, per target. Default 1,000.
    pub batch: usize,
    /// How many deliveries per target may wait in memory after COMMIT; more are left to the scanner. Default 2,048.
    pub hand_over: usize,
    /// How much memory payloads may take while they are handed over, in bytes. Default 32 MiB.
    pub hand_over_memory: usize,
    /// How long settlements gather before they are written, under load. Default 5 ms.
    pub linger: Duration,
    /// How long one database call of a background loop may take. Default 30 s.
    pub call_timeout: Duration,
    /// How often maintenance runs, with jitter; of all processes on one outbox, one does it. Default 60 s.
    pub maintenance: Duration,
    /// How often a process writes down how it is doing, with jitter, for people to look at. Default 10 s.
    pub report: Duration,
    /// After so many leases that ran out unsettled, a delivery goes to the dead letters. Default 10.
    pub max_abandoned: u32,
    /// How long a transaction may go on after its events were stored at a two-phase transport. Longer ones are rolled back. Keep it below the
    /// time after which brokers ask (RocketMQ: `transactionTimeOut`, 6 s): earlier questions do no harm, but events may come twice. From 1 s to
    /// 300 s. Default 5 s.
    pub transaction_lifetime: Duration,
    /// Whether at most one process at a time scans. The others stand by, and one of them takes over at once when it is shut down, and
    /// within lease plus poll interval when it dies. What a process hands over from memory it delivers itself, leader or not.
    /// All processes on one outbox should say the same. Default false: all of them scan, and share the work.
    pub exclusive: bool,
    /// Whether this process only stores deliveries and leaves all of them to other processes. Default false.
    pub publish_only: bool,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            name: Arc::from("default"),
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            batch: 1_000,
            hand_over: 2_048,
            hand_over_memory: 32 * 1024 * 1024,
            linger: Duration::from_millis(5),
            call_timeout: Duration::from_secs(30),
            maintenance: Duration::from_secs(60),
            report: Duration::from_secs(10),
            max_abandoned: 10,
            transaction_lifetime: Duration::from_secs(5),
            exclusive: false,
            publish_only: false,
        }
    }
}

impl RelayOptions {
    /// Checks that the options can work.
    ///
    /// # Errors
    /// The first one that cannot.
    pub fn check(&self) -> Result<(), BuildError> {
        let rule = |holds: bool, option, value: String, rule| {
            if holds { Ok(()) } else { Err(BuildError::InvalidOption { option, value, rule }) }
        };
        BuildError::check_name("the outbox's name", &self.name)?;
        let millis = Duration::from_millis;
        rule(self.lease >= millis(100), "the lease", format!("{:?}", self.lease), "it must last at least 100 ms")?;
        rule(self.poll >= millis(1), "the poll interval", format!("{:?}", self.poll), "it must be at least 1 ms")?;
        rule(self.maintenance >= millis(1), "the maintenance interval", format!("{:?}", self.maintenance), "it must be at least 1 ms")?;
        rule(self.report >= millis(10), "the report interval", format!("{:?}", self.report), "it must be at least 10 ms")?;
        rule(
            self.linger * 3 <= self.lease,
            "the settlement linger",
            format!("{:?}", self.linger),
            "it must be at most a third of the lease",
        )?;
        rule(!self.call_timeout.is_zero(), "the call timeout", "0".into(), "database calls need some time")?;
        rule((1..=10_000).contains(&self.batch), "the batch", self.batch.to_string(), "it must be between 1 and 10,000")?;
        rule(self.max_abandoned >= 1, "the number of abandoned leases", "0".into(), "a process may die once without blame")?;
        let (lifetime, bounds) = (self.transaction_lifetime, Duration::from_secs(1)..=Duration::from_secs(300));
        let longest = "it must be from 1 s to 300 s; brokers give up what stays unknown for longer";
        rule(bounds.contains(&lifetime), "the lifetime of a transaction", format!("{lifetime:?}"), longest)?;
        let limit = u32::MAX as usize * MEMORY_UNIT;
        rule(self.hand_over_memory <= limit, "the hand-over memory", self.hand_over_memory.to_string(), "it must be below 4 TiB")
    }
}
