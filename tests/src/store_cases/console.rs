//! What people see and do who operate an outbox.

use crate::events::{Noted, Stepped, follow, note};
use crate::{Harness, Scene};
use events_core::test_kit::{Fault, wait_until};
use events_core::{Backoff, DeadReason, EventId, Outcome, RelayOptions, RetryPolicy, publish};
use events_sqlx::{Backlog, Filter, Level, Order, Outbox, Request, Retention, UnitOfWork, WaitingState};
use std::collections::BTreeSet;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);

/// A process that hands nothing over from memory, so that everything waits until somebody leases it.
async fn without_memory<H: Harness>(scene: &Scene<H>) -> Outbox<H::Db> {
    let options = RelayOptions { hand_over: 0, lease: LEASE, ..RelayOptions::default() };
    scene.timeless().await.relay(options).handler::<note>().handler::<follow>().start_idle().await.unwrap()
}

/// Publishes each number in a unit of work of its own.
async fn one_by_one<H: Harness>(outbox: &Outbox<H::Db>, numbers: impl IntoIterator<Item = i64>) -> Vec<EventId> {
    let mut ids = Vec::new();
    for n in numbers {
        ids.push(outbox.run(async |_: &mut UnitOfWork<H::Db>| publish(Noted { n })).await.unwrap());
    }
    ids
}

/// Leases all that is due for a target and lets it die.
async fn kill<H: Harness>(outbox: &Outbox<H::Db>, target: &str, blocks_key: bool, error: &str) {
    for delivery in Scene::<H>::lease(outbox, target, 100, LEASE).await {
        let failures = vec![events_core::Failure { attempt: 1, at: time::OffsetDateTime::UNIX_EPOCH, error: error.to_owned() }];
        let dead = Outcome::Dead { reason: DeadReason::Terminal, failures, blocks_key };
        outbox.store().settle(&[Scene::<H>::settlement(&delivery, dead)]).await.unwrap();
    }
}

pub async fn a_console_counts_what_waits_by_target_and_state<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    let console = outbox.console();
    let empty = console.overview(100).await.unwrap();
    assert_eq!((empty.backlogs.len(), empty.waiting(), empty.dead_letters(), empty.oldest), (0, 0, 0, None));
    one_by_one::<H>(&outbox, 0..7).await;
    Scene::<H>::step(&outbox, 1, 1..=3).await;
    Scene::<H>::step(&outbox, 2, 1..=2).await;
    outbox
        .run(async |uow: &mut UnitOfWork<H::Db>| {
            let _ = uow;
            events_core::publish_in(Duration::from_secs(60), Noted { n: 100 })
        })
        .await
        .unwrap();
    assert_eq!(Scene::<H>::lease(&outbox, "note", 2, LEASE).await.len(), 2);
    scene.clock.advance(Duration::from_secs(5));
    let overview = console.overview(100).await.unwrap();
    let five = Some(Duration::from_secs(5));
    let expected = |target: &str, due, leased, later, key| (target.to_owned(), due, leased, later, key, five);
    let seen = |backlog: &Backlog| (backlog.target.clone(), backlog.due, backlog.leased, backlog.later, backlog.key, backlog.due_for);
    assert_eq!(overview.backlogs.iter().map(seen).collect::<Vec<_>>(), [expected("follow", 2, 0, 0, 3), expected("note", 5, 2, 1, 0)]);
    assert_eq!((overview.waiting(), overview.oldest.is_some()), (13, true));
    let overview = console.overview(3).await.unwrap();
    assert_eq!((overview.counted_to, overview.backlogs[1].due), (3, 3), "no further than it was told to count");
}

pub async fn a_console_pages_through_everything_exactly_once<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    let console = outbox.console();
    let ids = one_by_one::<H>(&outbox, 0..25).await;
    Scene::<H>::step(&outbox, 1, 1..=12).await;
    let pages = async |filter: Filter| {
        let (mut rows, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = console.waiting(&filter, after).await.unwrap();
            assert!(page.rows.len() <= 10);
            rows.extend(page.rows);
            pages += 1;
            after = page.next.map(|cursor| cursor.to_string().parse().unwrap());
            if after.is_none() {
                return (rows, pages);
            }
        }
    };
    let ten = || Filter::all().limit(10);
    let many = async |filter: Filter| pages(filter).await.0.len();
    let (all, of) = pages(ten()).await;
    assert_eq!((all.len(), of), (37, 4));
    assert_eq!(all.iter().map(|row| row.id).collect::<BTreeSet<_>>().len(), 37, "each once");
    assert!(all.is_sorted_by_key(|row| row.id), "oldest first");
    for state in [WaitingState::Due, WaitingState::Leased, WaitingState::Later, WaitingState::Key] {
        let expected = match state {
            WaitingState::Due => (25, 1),
            WaitingState::Key => (0, 11),
            _ => (0, 0),
        };
        let of = async |target: &str| many(ten().target(target).state(state)).await;
        assert_eq!((of("note").await, of("follow").await), expected, "{state:?}");
    }
    assert_eq!((many(ten().target("note")).await, many(ten().topic("test.stepped")).await), (25, 12));
    assert_eq!((many(ten().key("1")).await, many(ten().key("2")).await, many(ten().error("boom")).await), (10, 0, 0));
    assert_eq!((many(Filter::event(ids[3])).await, many(ten().target("'; DROP TABLE outbox; --")).await), (1, 0));
    let published = |id: EventId| time::OffsetDateTime::from_unix_timestamp_nanos((id.0.as_u128() >> 80) as i128 * 1_000_000).unwrap();
    let since = many(ten().target("note").since(published(ids[24]))).await;
    assert!((1..25).contains(&since) || published(ids[0]) == published(ids[24]), "{since}");

    kill::<H>(&outbox, "note", false, "boom: no paper").await;
    let dead = async |filter: Filter, order| {
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let page = console.dead(&filter, order, after).await.unwrap();
            rows.extend(page.rows.into_iter().map(|letter| letter.id));
            after = page.next.map(|cursor| cursor.to_string().parse().unwrap());
            if after.is_none() {
                return rows;
            }
        }
    };
    let mut oldest = dead(ten(), Order::OldestFirst).await;
    let newest = dead(ten(), Order::NewestFirst).await;
    oldest.reverse();
    assert_eq!((oldest.len(), oldest == newest), (25, true), "both ways through the same letters, all of which died at one time");
    let some = async |filter: Filter| dead(filter, Order::NewestFirst).await.len();
    assert_eq!((some(ten().error("no paper")).await, some(ten().error("NO PAPER")).await, some(ten().error("%")).await), (25, 0, 0));
    assert_eq!((some(ten().reason("terminal")).await, some(ten().reason("exhausted")).await), (25, 0));
    let died = console.dead(&ten(), Order::OldestFirst, None).await.unwrap().rows[0].died_at;
    let second = Duration::from_secs(1);
    assert_eq!((some(ten().since(died)).await, some(ten().since(died + second)).await, some(ten().until(died - second)).await), (25, 0, 0));
}

pub async fn a_console_tells_the_whole_story_of_an_event<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene
        .timeless()
        .await
        .handler::<note>()
        .handler::<crate::events::copy>()
        .handler::<crate::events::book_of_notes>()
        .retention(Retention::Archive(Duration::from_secs(3_600)))
        .retry(RetryPolicy::default().attempts(2).backoff(Backoff::Fixed(Duration::from_secs(60))))
        .start_idle()
        .await
        .unwrap();
    scene.note.faults.next(1, Fault::Retryable);
    scene.copy.faults.next(1, Fault::Terminal);
    let event = one_by_one::<H>(&outbox, [7]).await[0];
    Scene::<H>::settle(&outbox).await;
    let story = outbox.console().story(event).await.unwrap();
    assert_eq!((story.waiting.len(), story.dead.len(), story.delivered.len()), (1, 1, 1));
    assert_eq!((&*story.waiting[0].target, story.waiting[0].failed, story.waiting[0].failures.len()), ("note", 1, 1));
    assert_eq!((&*story.dead[0].target, &*story.dead[0].reason), ("copy", "terminal"));
    assert_eq!(&*story.delivered[0].target, "book_of_notes");
    assert_eq!(story.envelope().unwrap().open::<Noted>().unwrap(), Noted { n: 7 });
    assert!(outbox.console().story(EventId::now()).await.unwrap().is_empty());
}

pub async fn what_people_do_to_dead_letters_is_written_into_the_audit<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    let console = outbox.console();
    one_by_one::<H>(&outbox, 0..30).await;
    kill::<H>(&outbox, "note", false, "boom").await;
    assert_eq!(console.redrive(&Filter::all().error("no such thing"), "nobody").await.unwrap(), 0);
    assert_eq!(console.audit(None, 10).await.unwrap().len(), 0, "nothing was done");
    let first = console.dead(&Filter::all().limit(2), Order::OldestFirst, None).await.unwrap();
    let ids: Vec<_> = first.rows.iter().map(|letter| letter.id).collect();
    assert_eq!(console.act(Request::Discard, &ids, "li.lei").await.unwrap(), 2);
    assert_eq!(console.act(Request::Discard, &ids, "li.lei").await.unwrap(), 0, "they are gone");
    let mut seen = Vec::new();
    let done = console.act_on_all(Request::Redrive, &Filter::all(), "韩梅梅", &mut |done| seen.push(done)).await.unwrap();
    assert_eq!((done, seen.last(), outbox.dead_count().await.unwrap()), (28, Some(&28), 0));
    let audit = console.audit(None, 10).await.unwrap();
    let lines: Vec<_> = audit.iter().map(|entry| (&*entry.actor, &*entry.action, entry.detail.contains("\"letters\":"))).collect();
    assert_eq!(lines, [("韩梅梅", "redrive", true), ("li.lei", "discard", true)]);
    assert!(audit[1].detail.contains(&ids[0].to_string()));
    assert_eq!(console.audit(Some(audit[0].id), 10).await.unwrap().len(), 1);
    Scene::<H>::drain(&outbox).await;
    assert_eq!(scene.note.done.len(), 28);
}

// Invariant 7, given up by somebody's decision.
pub async fn what_passes_a_dead_letter_goes_on_and_the_letter_stays<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    let console = outbox.console();
    Scene::<H>::step(&outbox, 1, 1..=3).await;
    kill::<H>(&outbox, "follow", true, "boom").await;
    Scene::<H>::drain(&outbox).await;
    assert_eq!(scene.follow.done.len(), 0);
    let blocked = console.blocked(10).await.unwrap();
    assert_eq!((blocked.len(), &*blocked[0].key, &*blocked[0].target, blocked[0].letters, blocked[0].waiting), (1, "1", "follow", 1, 2));
    assert_eq!(console.blocking("1", Some("note")).await.unwrap(), []);
    let letters = console.blocking("1", None).await.unwrap();
    assert_eq!(console.act(Request::Pass, &letters, "li.lei").await.unwrap(), 1);
    assert_eq!((console.blocked(10).await.unwrap(), outbox.dead_count().await.unwrap()), (vec![], 1));
    Scene::<H>::drain(&outbox).await;
    assert_eq!(scene.follow.done.all(), [2, 3].map(|step| Stepped { line: 1, step }));
    assert_eq!(scene.numbers("SELECT pending FROM outbox_key").await, [0]);
    assert_eq!(console.redrive(&Filter::all(), "li.lei").await.unwrap(), 1);
    Scene::<H>::drain(&outbox).await;
    assert_eq!((scene.follow.done.len(), scene.numbers("SELECT pending FROM outbox_key").await), (3, vec![0]));
}

pub async fn processes_say_how_they_are_doing_until_they_are_shut_down<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let options = RelayOptions { report: Duration::from_millis(20), ..RelayOptions::default() };
    let outbox = scene.process().await.relay(options).handler::<note>().start().await.unwrap();
    let console = outbox.console();
    Scene::<H>::publish(&outbox, 0..5).await;
    wait_until("five deliveries are reported", async || {
        let processes = console.processes().await.unwrap();
        let [process] = &*processes else { return false };
        let report = &process.report;
        let sampled: u64 = report.samples.iter().map(|sample| sample.delivered).sum();
        let timed: u64 = report.samples.iter().flat_map(|sample| &sample.latencies).sum();
        (report.stats.published, report.stats.delivered_from_memory, sampled, timed) == (5, 5, 5, 5)
    })
    .await;
    let process = console.processes().await.unwrap().remove(0);
    assert_eq!((&*process.report.targets, process.report.publish_only), (&["note".to_owned()][..], false));
    assert!(process.report.loops.iter().any(|one| one.name == "scanner"), "{:?}", process.report.loops);
    wait_until("somebody maintains", async || console.leads().await.unwrap().iter().any(|lead| lead.name == "maintenance")).await;
    let lead = console.leads().await.unwrap().remove(0);
    assert_eq!((&lead.owner, lead.expires_in.is_some()), (&process.owner, true));
    outbox.shutdown().await;
    assert_eq!(console.processes().await.unwrap().len(), 0);
}

pub async fn the_doctor_finds_what_is_wrong<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    let console = outbox.console();
    let level = async |check: &str| {
        let findings = console.doctor().await.unwrap();
        findings.iter().find(|finding| finding.check == check).unwrap_or_else(|| panic!("{check}: {findings:?}")).level
    };
    for check in ["schema", "indexes", "orphans", "lateness", "dead letters", "lost leases", "blocked keys", "processes", "oldest key"] {
        assert_eq!(level(check).await, Level::Ok, "{check}");
    }
    assert_eq!(level("clock").await, Level::Warning, "the test's clock is that of another year");
    assert_eq!(level("leader").await, Level::Critical, "no process runs its loops");
    Scene::<H>::step(&outbox, 1, 1..=2).await;
    one_by_one::<H>(&outbox, 0..1).await;
    assert_eq!(level("orphans").await, Level::Critical, "nobody is seen that takes it");
    scene.clock.advance(Duration::from_secs(61));
    assert_eq!(level("lateness").await, Level::Warning);
    scene.clock.advance(Duration::from_secs(600));
    assert_eq!(level("lateness").await, Level::Critical);
    assert_eq!(Scene::<H>::lease(&outbox, "note", 1, LEASE).await.len(), 1);
    scene.clock.advance(LEASE);
    assert_eq!(Scene::<H>::lease(&outbox, "note", 1, LEASE).await.len(), 1);
    assert_eq!(level("lost leases").await, Level::Warning);
    kill::<H>(&outbox, "follow", true, "boom").await;
    assert_eq!((level("dead letters").await, level("blocked keys").await), (Level::Warning, Level::Critical));
    // The index of MySQL's tables that another one could replace may be dropped everywhere.
    let drop_index = match console.system() {
        "MySQL" => "DROP INDEX outbox_dead_age ON outbox_dead",
        _ => "DROP INDEX outbox_dead_age",
    };
    scene.execute(drop_index).await;
    assert_eq!(level("indexes").await, Level::Critical);
    scene.execute("UPDATE outbox_meta SET schema_version = 99").await;
    let findings = console.doctor().await.unwrap();
    assert_eq!((findings.len(), findings[0].level, findings[0].text.contains("newer")), (1, Level::Critical, true), "{findings:?}");
}
