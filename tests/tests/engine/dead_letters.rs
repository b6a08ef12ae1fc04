//! Which dead letters hold back their key: what the relay tells the store.

use events_core::test_kit::{Fault, Faults, ScriptedTransport, wait_until};
use events_core::{Clock, DeadLetterPolicy, DeadReason, DeliveryError, Outcome, RelayOptions, RetryPolicy, State, after_commit};
use events_sqlx::Filter;
use events_sqlx::sqlite::OutboxBuilder;
use events_tests::events::{Noted, NotedOfOld, Renumbered, Sent, Stepped, follow, note, renumber, renumber_of_old};
use events_tests::{FaultyStore, OnSqlite, Role, Scene, Troubles};
use std::time::Duration;

type OnFile = Scene<OnSqlite>;

fn blocking() -> RetryPolicy {
    RetryPolicy::default().attempts(1).dead_letters(DeadLetterPolicy::BlockKey)
}

/// A handler that says the contrary of its outbox.
#[after_commit(manual, name = "follow", dead_letters = "continue")]
async fn go_on(event: Stepped, State(role): State<Role<Stepped>>) -> Result<(), DeliveryError> {
    role.play(event, 1).await
}

/// A handler that says so itself.
#[after_commit(manual, name = "follow", dead_letters = "block_key", attempts = 1)]
async fn hold_back(event: Stepped, State(role): State<Role<Stepped>>) -> Result<(), DeliveryError> {
    role.play(event, 1).await
}

/// Publishes with `process` and returns why the delivery died, and whether it holds back its key.
async fn death(process: OutboxBuilder, publish: impl Fn() -> Result<(), events_core::Error>) -> (DeadReason, bool) {
    let troubles = Troubles::default();
    let outbox = troubles.during(process.wrap_store(FaultyStore::wrap).start()).await.unwrap();
    outbox.run(async |_| publish()).await.unwrap();
    wait_until("it is dead", async || outbox.stats().dead == 1).await;
    // The next one of this key must not wait for it.
    outbox.dead_letters().discard(&Filter::all()).await.unwrap();
    outbox.shutdown().await;
    let dead = |outcome| if let Outcome::Dead { reason, blocks_key, .. } = outcome { Some((reason, blocks_key)) } else { None };
    troubles.settlements().into_iter().find_map(|settlement| dead(settlement.outcome)).unwrap()
}

fn step() -> Result<(), events_core::Error> {
    events_core::publish(Stepped { line: 1, step: 1 }).map(drop)
}

#[tokio::test]
async fn a_dead_letter_holds_back_its_key_if_the_policy_says_so() {
    use DeadReason::{Exhausted, Terminal};
    let scene = OnFile::new().await;
    scene.follow.faults.always(Fault::Terminal);
    let process = async |policy: RetryPolicy| scene.process().await.retry(policy);
    let once = RetryPolicy::default().attempts(1);
    assert_eq!(death(process(once.clone()).await.handler::<follow>(), step).await, (Terminal, false), "by default the key goes on");
    assert_eq!(death(process(blocking()).await.handler::<follow>(), step).await, (Terminal, true));
    scene.follow.faults.always(Fault::Retryable);
    assert_eq!(death(process(blocking()).await.handler::<follow>(), step).await, (Exhausted, true));
    assert_eq!(death(process(blocking()).await.handler::<go_on>(), step).await, (Exhausted, false), "the handler decides");
    assert_eq!(death(process(once).await.handler::<hold_back>(), step).await, (Exhausted, true), "the handler decides");
}

#[tokio::test]
async fn without_a_key_there_is_nothing_to_hold_back() {
    let scene = OnFile::new().await;
    scene.note.faults.always(Fault::Terminal);
    let noted = || events_core::publish(Noted { n: 1 }).map(drop);
    assert_eq!(death(scene.process().await.retry(blocking()).handler::<note>(), noted).await, (DeadReason::Terminal, false));
}

#[tokio::test]
async fn a_transport_follows_the_policy_of_its_outbox() {
    let scene = OnFile::new().await;
    let faults = Faults::none();
    faults.always(Fault::Terminal);
    let process = scene.process().await.retry(blocking()).transport(ScriptedTransport::new("radio", faults));
    let sent = || events_core::publish(Sent { line: 1, step: 1 }).map(drop);
    assert_eq!(death(process, sent).await, (DeadReason::Terminal, true));
}

#[tokio::test]
async fn a_payload_that_does_not_fit_holds_back_its_key_too() {
    let scene = OnFile::new().await;
    let old = scene.process().await.event::<NotedOfOld>().handler::<renumber_of_old>().publish_only().start().await.unwrap();
    old.run(async |uow| uow.publish_with(events_core::Publication::of(NotedOfOld { number: 1 }).key("a"))).await.unwrap();
    let process = scene.process().await.retry(blocking()).event::<Renumbered>().handler::<renumber>();
    assert_eq!(death(process, || Ok(())).await, (DeadReason::Undecodable, true));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_or_was_abandoned_holds_back_its_key_too() {
    let scene = OnFile::new().await;
    let publisher = scene.process().await.handler::<follow>().publish_only().start().await.unwrap();
    publisher.run(async |_| step()).await.unwrap();
    scene.execute("UPDATE outbox SET headers = 'no JSON'").await;
    let process = scene.process().await.retry(blocking()).handler::<follow>();
    assert_eq!(death(process, || Ok(())).await, (DeadReason::Undecodable, true));

    publisher.run(async |_| events_core::publish(Stepped { line: 2, step: 1 })).await.unwrap();
    // Its lease ran out, as the lease of a process that died.
    scene.execute("UPDATE outbox SET lease_token = randomblob(16)").await;
    let limits = RelayOptions { max_abandoned: 1, ..RelayOptions::default() };
    let process = scene.process().await.retry(blocking()).relay(limits).clock(Clock::database()).handler::<follow>();
    assert_eq!(death(process, || Ok(())).await, (DeadReason::Abandoned, true));
    assert!(scene.follow.begun.is_empty());
    publisher.shutdown_within(Duration::from_secs(1)).await;
}
