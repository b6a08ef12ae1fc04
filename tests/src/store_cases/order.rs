//! Invariant 7: events with the same key reach each target in commit order, and only the head of a key is deliverable.

use super::key_heads::{leasable, steps, without_memory};
use crate::events::{Audited, Noted, Stepped, audit, follow, note};
use crate::{Harness, Scene};
use events_core::test_kit::Fault;
use events_core::{Backoff, DeadReason, Outcome, Publication, RelayOptions, RetryPolicy, publish};
use events_sqlx::{Backend, Filter, UnitOfWork};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::collections::HashMap;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

// Invariant 7.
pub async fn with_many_writers_keys_failures_and_processes_every_key_keeps_commit_order<H: Harness>() {
    const LINES: i64 = 7;
    const WRITERS: u64 = 6;
    const COMMITS: usize = 40;
    let scene = Scene::<H>::new().await;
    for line in 0..LINES {
        Scene::<H>::write(&mut scene.harness.connect().await.acquire().await.unwrap(), line).await.unwrap();
    }
    let retry = RetryPolicy::default().attempts(1_000).backoff(Backoff::Fixed(Duration::from_millis(3)));
    scene.follow.fail_by_chance(0.1, 11);
    scene.audit.fail_by_chance(0.1, 13);
    let mut processes = Vec::new();
    for hand_over in [2_048, 3] {
        let limits =
            RelayOptions { hand_over, poll: Duration::from_millis(10), linger: Duration::from_millis(1), ..RelayOptions::default() };
        let process = scene.process().await.retry(retry.clone()).relay(limits).handler::<follow>().handler::<audit>();
        processes.push(process.start().await.unwrap());
    }
    let mut writers = tokio::task::JoinSet::new();
    for seed in 0..WRITERS {
        let outbox = processes[seed as usize % 2].clone();
        writers.spawn(async move {
            let mut dice = StdRng::seed_from_u64(seed);
            for _ in 0..COMMITS {
                let line = dice.random_range(0..LINES);
                let (events, fails) = (dice.random_range(1..=3), dice.random_bool(0.2));
                let run = outbox.run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
                    for _ in 0..events {
                        // The row of the line is locked until COMMIT, so its numbers are in commit order.
                        advance::<H>(uow, line).await?;
                    }
                    anyhow::ensure!(!fails, "rolled back by chance");
                    Ok(())
                });
                assert_eq!(run.await.is_err(), fails);
            }
        });
    }
    writers.join_all().await;
    Scene::<H>::until_delivered(&processes[0]).await;
    let lengths = scene.numbers("SELECT step FROM business ORDER BY n").await;
    assert!(lengths.iter().sum::<i64>() > 200, "enough happened: {lengths:?}");
    let audited: Vec<Stepped> = scene.audit.done.all().into_iter().map(|Audited(event)| event).collect();
    for (target, delivered) in [("follow", scene.follow.done.all()), ("audit", audited)] {
        for (line, length) in (0..).zip(&lengths) {
            let of_line: Vec<Stepped> = delivered.iter().filter(|event| event.line == line).cloned().collect();
            assert_eq!(of_line, steps(line, 1..=*length), "{target}, line {line}: all, once, in order");
        }
    }
    // Not even an attempt came before its turn.
    let mut done: HashMap<i64, i64> = HashMap::new();
    for (Stepped { line, step }, _) in scene.follow.begun.all() {
        let last = done.insert(line, step).unwrap_or(0);
        assert!(step == last || step == last + 1, "step {step} of line {line} was begun right after step {last}");
    }
    for process in &processes {
        assert_eq!((process.stats().lease_lost, process.stats().dead), (0, 0));
    }
}

/// Takes the next number of a line and publishes it.
async fn advance<H: Harness>(uow: &mut UnitOfWork<H::Db>, line: i64) -> anyhow::Result<()> {
    H::Db::execute(uow.conn(), format!("UPDATE business SET step = step + 1 WHERE n = {line}")).await?;
    let step = H::numbers(uow.conn(), format!("SELECT step FROM business WHERE n = {line}")).await?[0];
    publish(Stepped { line, step })?;
    Ok(())
}

// Invariant 7.
pub async fn several_events_of_one_key_in_one_unit_of_work_keep_their_order<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<follow>().handler::<note>().start().await.unwrap();
    // Whoever does not wait for its turn overtakes the first ones now.
    scene.follow.faults.next(2, Fault::Retryable);
    let run = outbox.run(async |_: &mut UnitOfWork<H::Db>| {
        for step in 1..=50 {
            publish(Stepped { line: 1 + step % 2, step })?;
            publish(Noted { n: step })?;
        }
        Ok::<_, events_core::Error>(())
    });
    run.await.unwrap();
    Scene::<H>::until_delivered(&outbox).await;
    for line in [1, 2] {
        let of_line: Vec<Stepped> = scene.follow.done.all().into_iter().filter(|event| event.line == line).collect();
        assert_eq!(of_line, steps(line, (1..=50).filter(|step| 1 + step % 2 == line)));
    }
    assert_eq!(scene.note.done.len(), 50);
}

// Invariant 7.
pub async fn a_handler_that_is_behind_does_not_hold_up_another_target_of_the_key<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.follow.gate.close();
    let outbox = scene.process().await.handler::<follow>().handler::<audit>().start().await.unwrap();
    Scene::<H>::step(&outbox, 1, 1..=20).await;
    let audited = scene.audit.done.wait_for(20, SOON).await;
    assert_eq!(audited, steps(1, 1..=20).into_iter().map(Audited).collect::<Vec<_>>());
    assert!(scene.follow.done.is_empty());
    scene.follow.gate.open();
    assert_eq!(scene.follow.done.wait_for(20, SOON).await, steps(1, 1..=20));
}

// Invariant 7.
pub async fn a_key_given_at_publication_replaces_that_of_the_type<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    for step in 1..=3 {
        let run = async |_: &mut UnitOfWork<H::Db>| Publication::of(Stepped { line: step, step }).key("one for all").publish();
        outbox.run(run).await.unwrap();
    }
    assert_eq!(leasable::<H>(&outbox).await, steps(1, [1]));
    assert_eq!(outbox.list_waiting(&Filter::all().key("one for all")).await.unwrap().len(), 3);
}

// Invariant 7.
pub async fn a_delayed_head_holds_back_what_follows<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    let delayed = async |_: &mut UnitOfWork<H::Db>| Publication::of(Stepped { line: 1, step: 1 }).delay(SOON).publish();
    outbox.run(delayed).await.unwrap();
    Scene::<H>::step(&outbox, 1, [2]).await;
    let delayed = async |_: &mut UnitOfWork<H::Db>| Publication::of(Stepped { line: 1, step: 3 }).delay(SOON * 3).publish();
    outbox.run(delayed).await.unwrap();
    Scene::<H>::drain(&outbox).await;
    assert!(scene.follow.done.is_empty());
    scene.clock.advance(SOON);
    Scene::<H>::drain(&outbox).await;
    assert_eq!(scene.follow.done.all(), steps(1, 1..=2), "the third still has its own delay");
    scene.clock.advance(SOON * 2);
    Scene::<H>::drain(&outbox).await;
    assert_eq!(scene.follow.done.all(), steps(1, 1..=3));
}

// Invariant 7.
pub async fn a_handler_that_was_renamed_keeps_the_order_of_what_waits_under_its_old_name<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let old = without_memory(&scene).await;
    Scene::<H>::step(&old, 1, 1..=3).await;
    let new = scene.timeless().await.handler::<crate::events::follow_renamed>().start_idle().await.unwrap();
    Scene::<H>::step(&new, 1, 4..=6).await;
    Scene::<H>::settle(&new).await;
    Scene::<H>::drain(&new).await;
    assert_eq!(scene.follow.done.all(), steps(1, 1..=6));
}

// Invariant 7: a new name is no reason to deliver twice.
pub async fn a_handler_that_was_renamed_does_not_get_what_is_under_way_under_its_old_name<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let old = without_memory(&scene).await;
    Scene::<H>::step(&old, 1, 1..=2).await;
    let head = Scene::<H>::lease(&old, "follow", 9, SOON).await.remove(0);
    let new = scene.timeless().await.handler::<crate::events::follow_renamed>().start_idle().await.unwrap();
    for name in ["follow", "follow.renamed"] {
        assert!(Scene::<H>::lease(&new, name, 9, SOON).await.is_empty(), "the older process has it, whatever its name is: {name}");
    }
    let report = old.store().settle(&[Scene::<H>::settlement(&head, Outcome::Delivered)]).await.unwrap();
    assert!(report.lost.is_empty());
    // The older process does not know the line under its new name; maintenance frees it.
    new.maintain().await.unwrap();
    Scene::<H>::drain(&new).await;
    assert_eq!((scene.follow.done.all(), new.waiting().await.unwrap()), (steps(1, [2]), 0));
}

// Invariant 7, with the policy that nothing may pass a dead letter.
pub async fn a_dead_letter_goes_on_blocking_its_key_when_its_handler_was_renamed<H: Harness>() {
    for behind in [0, 1] {
        let scene = Scene::<H>::new().await;
        let old = without_memory(&scene).await;
        Scene::<H>::step(&old, 1, 1..=1 + behind).await;
        let head = Scene::<H>::lease(&old, "follow", 9, SOON).await.remove(0);
        let dead = Outcome::Dead { reason: DeadReason::Terminal, failures: Vec::new(), blocks_key: true };
        old.store().settle(&[Scene::<H>::settlement(&head, dead)]).await.unwrap();
        let new = scene.timeless().await.handler::<crate::events::follow_renamed>().start_idle().await.unwrap();
        Scene::<H>::step(&new, 1, [2 + behind]).await;
        new.maintain().await.unwrap();
        Scene::<H>::drain(&new).await;
        assert!(scene.follow.done.is_empty(), "{:?} passed it", scene.follow.done.all());
        assert_eq!(new.dead_letters().discard(&Filter::all().target("follow.renamed")).await.unwrap(), 1);
        Scene::<H>::drain(&new).await;
        assert_eq!(scene.follow.done.all(), steps(1, 2..=2 + behind));
        assert_eq!(scene.numbers("SELECT pending FROM outbox_key").await, [0, 0]);
    }
}
