//! Payloads at rest are encrypted; everybody who should read them gets them in clear.

use crate::events::{Audited, Booked, Copied, Noted, Stepped, audit, copy, follow, follow_renamed, note};
use crate::events_of_cards::{CARD, Charged, charge};
use crate::{Harness, Role, Scene};
use events_core::test_kit::Fault;
use events_core::{PayloadKeys, RelayOptions};
use events_sqlx::{Backend, Filter, Outbox, OutboxBuilder, Retention, UnitOfWork, Waiting, WaitingState};
use std::time::Duration;

/// All columns that hold what a publisher or a handler has said.
const COLUMNS: &[&str] = &["target", "topic", "`key`", "payload", "content_type", "source", "headers"];
const ERRORS: &[&str] = &["last_error", "failures"];

fn key_a() -> PayloadKeys {
    PayloadKeys::new("a", [0xA; 32])
}

fn key_b() -> PayloadKeys {
    PayloadKeys::new("b", [0xB; 32])
}

fn without_memory<H: Harness>(process: OutboxBuilder<H::Db>) -> OutboxBuilder<H::Db> {
    process.relay(RelayOptions { hand_over: 0, ..RelayOptions::default() })
}

/// In how many rows of a table `text` stands, in whatever column.
async fn rows_with<H: Harness>(scene: &Scene<H>, table: &str, text: &str) -> i64 {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let condition = if H::Db::SYSTEM == "PostgreSQL" {
        format!("position('{text}' IN r::text) > 0 OR position('{hex}' IN r::text) > 0")
    } else {
        let errors = if table == "outbox_archive" { &[] } else { ERRORS };
        let found = |column: &&str| format!("instr(lower(hex(coalesce({column}, ''))), '{hex}') > 0");
        COLUMNS.iter().chain(errors).map(found).collect::<Vec<_>>().join(" OR ")
    };
    scene.count(&format!("{table} AS r WHERE {condition}")).await
}

async fn publish<H: Harness>(outbox: &Outbox<H::Db>, numbers: impl IntoIterator<Item = i64>) {
    let publish = async |uow: &mut UnitOfWork<H::Db>| numbers.into_iter().try_for_each(|n| uow.publish(Charged::of(n)).map(drop));
    outbox.run(publish).await.unwrap();
}

/// What waits, as a process without keys sees it: which key each payload is sealed with.
async fn sealed_with<H: Harness>(scene: &Scene<H>) -> Vec<Option<String>> {
    let stranger = scene.process().await.start_idle().await.unwrap();
    let key = |waiting: Waiting| waiting.envelope.unwrap().sealed_with().map(str::to_owned);
    Scene::<H>::waiting(&stranger).await.into_iter().map(key).collect()
}

// Invariant 24.
pub async fn payloads_are_encrypted_in_every_table_and_handled_in_clear<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let part = Role::<Charged>::default();
    let process = scene.timeless().await.state(part.clone()).handler::<charge>().retention(Retention::Archive(Duration::from_secs(60)));
    let outbox = process.encrypt(key_a()).start_idle().await.unwrap();
    part.gate.close();
    publish::<H>(&outbox, [1]).await;
    assert_eq!((scene.count("outbox").await, rows_with(&scene, "outbox", CARD).await), (1, 0));
    assert_eq!(rows_with(&scene, "outbox", "test.charged").await, 1, "what is in clear is found");
    let listed = Scene::<H>::waiting(&outbox).await.remove(0).envelope.unwrap();
    assert_eq!(listed.open::<Charged>().unwrap(), Charged::of(1), "who has the key can list it");
    part.gate.open();
    Scene::<H>::settle(&outbox).await;
    assert_eq!(part.done.all(), [Charged::of(1)], "from memory");
    assert_eq!((scene.count("outbox_archive").await, rows_with(&scene, "outbox_archive", CARD).await), (1, 0));

    part.faults.next(1, Fault::Terminal);
    publish::<H>(&outbox, [2]).await;
    Scene::<H>::settle(&outbox).await;
    assert_eq!((scene.count("outbox_dead").await, rows_with(&scene, "outbox_dead", CARD).await), (1, 0));
    let letter = outbox.dead_letters().list(&Filter::all()).await.unwrap().remove(0);
    assert_eq!(letter.envelope.unwrap().open::<Charged>().unwrap(), Charged::of(2));
    outbox.dead_letters().redrive(&Filter::all()).await.unwrap();
    Scene::<H>::drain(&outbox).await;
    assert_eq!(part.done.all(), [Charged::of(1), Charged::of(2)], "redriven, and leased by the scanner");
    assert_eq!((scene.count("outbox").await, scene.count("outbox_archive").await), (0, 2));
}

// Invariant 24.
pub async fn after_a_restart_and_a_rotation_everything_is_read<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let part = Role::<Charged>::default();
    let process = async || without_memory::<H>(scene.timeless().await).state(part.clone()).handler::<charge>();
    publish::<H>(&process().await.start_idle().await.unwrap(), [1]).await;
    publish::<H>(&process().await.encrypt(key_a()).start_idle().await.unwrap(), [2]).await;
    let rotated = process().await.encrypt(key_b().and_old("a", [0xA; 32])).start_idle().await.unwrap();
    publish::<H>(&rotated, [3]).await;
    assert_eq!(sealed_with(&scene).await, [None, Some("a".to_owned()), Some("b".to_owned())]);
    Scene::<H>::drain(&rotated).await;
    let mut done = part.done.all();
    done.sort_by_key(|event| event.n);
    assert_eq!(done, [1, 2, 3].map(Charged::of));
    assert_eq!((rotated.dead_count().await.unwrap(), rotated.waiting().await.unwrap()), (0, 0));
}

// Invariant 24.
pub async fn a_payload_whose_key_is_missing_waits_for_it_without_an_attempt<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let part = Role::<Charged>::default();
    let process = async || without_memory::<H>(scene.timeless().await).state(part.clone()).handler::<charge>();
    let publisher = process().await.encrypt(key_a()).start_idle().await.unwrap();
    publish::<H>(&publisher, [1]).await;
    for other in [process().await.encrypt(key_b()), process().await] {
        let other = other.start_idle().await.unwrap();
        Scene::<H>::drain(&other).await;
        let waiting = Scene::<H>::waiting(&other).await.remove(0);
        assert_eq!((waiting.state, waiting.failed, waiting.abandoned, waiting.failures.len()), (WaitingState::Later, 0, 0, 0));
        let envelope = waiting.envelope.unwrap();
        assert_eq!((envelope.sealed_with(), &*envelope.masked()), (Some("a"), "<encrypted with key `a`>"), "it is listed all the same");
        assert_eq!((other.stats().handed_back, other.dead_count().await.unwrap()), (1, 0));
        scene.clock.advance(Duration::from_secs(60));
    }
    assert!(part.begun.is_empty());
    Scene::<H>::drain(&publisher).await;
    assert_eq!(part.done.all(), [Charged::of(1)]);
    // A dead letter can be listed without its key, too.
    part.faults.next(1, Fault::Terminal);
    publish::<H>(&publisher, [2]).await;
    Scene::<H>::drain(&publisher).await;
    let stranger = process().await.start_idle().await.unwrap();
    let letter = stranger.dead_letters().list(&Filter::all()).await.unwrap().remove(0);
    assert_eq!(letter.envelope.unwrap().sealed_with(), Some("a"));
}

// Invariant 24.
pub async fn a_payload_that_was_put_into_another_row_goes_to_the_dead_letters<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let part = Role::<Charged>::default();
    let process = without_memory::<H>(scene.timeless().await).state(part.clone()).handler::<charge>();
    let outbox = process.encrypt(key_a()).start_idle().await.unwrap();
    publish::<H>(&outbox, [1, 2]).await;
    let last = "(SELECT payload FROM (SELECT payload FROM outbox ORDER BY id DESC LIMIT 1) AS last)";
    scene.execute(format!("UPDATE outbox SET payload = {last}")).await;
    assert_eq!(outbox.relay().scan().await.unwrap(), 2);
    Scene::<H>::settle_all(&outbox).await;
    assert_eq!(part.done.all(), [Charged::of(2)], "in its own row it is read");
    let letter = outbox.dead_letters().list(&Filter::all()).await.unwrap().remove(0);
    assert_eq!(&*letter.reason, "undecodable");
    let error = letter.envelope.unwrap_err();
    assert!(error.contains("`a`") && error == letter.failures[0].error, "{error}");
    assert_eq!(rows_with(&scene, "outbox_dead", CARD).await, 0);
}

// Invariant 24.
pub async fn every_way_into_the_outbox_encrypts<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let with_handlers = async || {
        let process = without_memory::<H>(scene.timeless().await).handler::<note>().handler::<copy>().handler::<audit>();
        process.handler::<H::Book>().encrypt(key_a())
    };
    let outbox = with_handlers().await.handler::<follow>().start_idle().await.unwrap();
    // Several events, targets and keys; several of one kind; a single one, which a handler publishes in the unit of work that settles its own.
    let several = async |uow: &mut UnitOfWork<H::Db>| {
        uow.publish(Noted { n: 1 })?;
        uow.publish(Stepped { line: 1, step: 1 })?;
        uow.publish(Stepped { line: 1, step: 2 })
    };
    outbox.run(several).await.unwrap();
    Scene::<H>::publish(&outbox, [2, 3]).await;
    outbox.run(async |uow: &mut UnitOfWork<H::Db>| uow.publish(Booked { n: 4 })).await.unwrap();
    assert_eq!(sealed_with(&scene).await, vec![Some("a".to_owned()); 11]);
    // A rename leaves what was sealed readable.
    let renamed = with_handlers().await.handler::<follow_renamed>().start_idle().await.unwrap();
    while renamed.waiting().await.unwrap() > 0 {
        Scene::<H>::drain(&renamed).await;
        let kept = sealed_with(&scene).await;
        assert!(kept.iter().all(|key| key.as_deref() == Some("a")), "{kept:?}");
    }
    let numbers = |mut numbers: Vec<i64>| {
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(numbers(scene.note.done.all().into_iter().map(|event| event.n).collect()), [1, 2, 3, 4]);
    assert_eq!(numbers(scene.copy.done.all().into_iter().map(|Copied(n)| n).collect()), [1, 2, 3, 4]);
    let steps = [1, 2].map(|step| Stepped { line: 1, step });
    assert_eq!(scene.follow.done.all(), steps.clone());
    assert_eq!(scene.audit.done.all(), steps.map(Audited));
    assert_eq!(scene.business().await, [4]);
}
