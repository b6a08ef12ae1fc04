//! How long the relay's calls take.

use crate::backlog::SHORT;
use events_core::{LeaseRequest, LeaseToken, Outcome, TargetRequest};
use events_sqlx::Outbox;
use events_tests::{Harness, Scene};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Half of what is leased in one go, from each of two targets.
const HALF: u32 = 500;
/// A call is never shorter than this, for the sake of the ratio: less is noise.
const FLOOR: Duration = Duration::from_millis(1);

/// The best times of an idle look at thirty targets, and of 1,000 deliveries leased and settled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) idle: Duration,
    pub(crate) batch: Duration,
}

impl Pace {
    pub(crate) async fn of<H: Harness>(outbox: &Outbox<H::Db>) -> Self {
        // A process with many targets; of most of them nothing has ever been published.
        let nobody: Vec<_> = (0..27).map(|n| format!("nobody_{n}")).collect();
        let targets: Vec<_> = ["target_2", "target_6", "target_8"].into_iter().chain(nobody.iter().map(String::as_str)).collect();
        let mut idle = Duration::MAX;
        for _ in 0..20 {
            let begun = Instant::now();
            assert_eq!(lease::<H>(outbox, &targets).await.len(), 0);
            idle = idle.min(begun.elapsed());
        }
        let mut batch = Duration::MAX;
        for _ in 0..3 {
            batch = batch.min(Self::batch::<H>(outbox, Outcome::HandBack { delay: Duration::ZERO }).await);
        }
        Self { idle, batch: batch.min(Self::batch::<H>(outbox, Outcome::Delivered).await) }
    }

    async fn batch<H: Harness>(outbox: &Outbox<H::Db>, outcome: Outcome) -> Duration {
        let begun = Instant::now();
        let leased = lease::<H>(outbox, &["note", "target_4"]).await;
        assert_eq!(leased.len(), 2 * HALF as usize);
        let settlements: Vec<_> = leased.iter().map(|delivery| Scene::<H>::settlement(delivery, outcome.clone())).collect();
        assert!(outbox.store().settle(&settlements).await.unwrap().lost.is_empty());
        begun.elapsed()
    }

    /// Says how this compares to the pace of a short backlog, and refuses a large difference.
    pub(crate) fn must_be_near(self, short: Self, rows: u64, system: &str) {
        let ratio = |long: Duration, short: Duration| long.max(FLOOR).as_secs_f64() / short.max(FLOOR).as_secs_f64();
        let (idle, batch) = (ratio(self.idle, short.idle), ratio(self.batch, short.batch));
        println!(
            "{system}: idle look {:?} with {rows} rows, {:?} with {SHORT}, ratio {idle:.2}; 1,000 leased and settled {:?} and {:?}, ratio {batch:.2}",
            self.idle, short.idle, self.batch, short.batch
        );
        assert!(idle < 5.0, "an idle look takes {idle:.1} times as long");
        assert!(batch < 8.0, "a batch takes {batch:.1} times as long");
    }
}

async fn lease<H: Harness>(outbox: &Outbox<H::Db>, targets: &[&str]) -> Vec<events_core::Delivery> {
    let targets = targets.iter().map(|name| TargetRequest { name: Arc::from(*name), limit: HALF, within: None }).collect();
    let request = LeaseRequest { targets, token: LeaseToken::fresh(), lease: Duration::from_secs(30) };
    outbox.store().lease(&request).await.unwrap().deliveries
}
