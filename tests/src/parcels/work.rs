//! The work of a packer, inside its process.

use super::{Depot, GROUP, Ordered, TERMS};
use crate::BrokerHarness;
use async_trait::async_trait;
use events_core::{Backoff, Received, RelayOptions, RetryPolicy, Subscription};
use events_sqlx::Outbox;
use sqlx::Pool;
use std::io::Write;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;

/// How long a packer knocks at a broker that is away.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it looks whether there is something to say.
const LOOK: Duration = Duration::from_millis(5);

/// Packs and ships until its standard input ends. Says `open`, `got <n>` for every order it receives, and `known <count>` whenever the inbox
/// knew more of them already.
///
/// # Panics
/// The database or the broker cannot be reached.
pub async fn work<B: BrokerHarness, D: Depot>(broker: &str, depot: &str) {
    let subscription = subscribe::<B>(broker).await;
    // Soon after its death, others get what a packer had published.
    let limits = RelayOptions {
        lease: Duration::from_secs(1),
        poll: Duration::from_millis(100),
        linger: Duration::from_millis(2),
        ..RelayOptions::default()
    };
    let outbox = Outbox::<D::Db>::builder(Pool::connect(depot).await.unwrap())
        .without_linked_handlers()
        .handler::<D::Pack>()
        .handler::<D::Ship>()
        .subscribe(GROUP, Said(subscription))
        .retry(RetryPolicy::default().backoff(Backoff::Fixed(Duration::from_millis(10))))
        .relay(limits)
        .start()
        .await
        .unwrap_or_else(|error| panic!("{}", error.report()));
    say("open");
    let (mut stdin, mut known) = (tokio::io::stdin(), 0);
    let mut ended = std::pin::pin!(async move { stdin.read_to_end(&mut Vec::new()).await });
    while tokio::time::timeout(LOOK, &mut ended).await.is_err() {
        say_known(outbox.stats().duplicates, &mut known);
    }
    outbox.shutdown_within(Duration::from_secs(30)).await;
    say_known(outbox.stats().duplicates, &mut known);
}

/// A broker that is dead when its packer comes is waited for.
async fn subscribe<B: BrokerHarness>(broker: &str) -> B::Subscription {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match B::subscribe_at(broker, GROUP, TERMS).await {
            Ok(subscription) => return subscription,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Says which events are received, before anybody has them.
struct Said<S>(S);

#[async_trait]
impl<S: Subscription> Subscription for Said<S> {
    async fn next(&mut self) -> Option<Received> {
        let received = self.0.next().await?;
        let Ordered { n } = received.envelope().open().unwrap();
        say(&format!("got {n}"));
        Some(received)
    }
}

fn say_known(now: u64, said: &mut u64) {
    if now != *said {
        say(&format!("known {now}"));
        *said = now;
    }
}

/// One write per line, so that a kill never leaves half of one between two others. A parent that is gone needs no answer.
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    if stdout.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(1);
    }
}
