//! When nobody can say whether a receipt was written, or for what.

use events_core::test_kit::{Seen, wait_until};
use events_core::{DomainEvent, Envelope, EventId, Headers, State, domain_event, subscribe};
use events_tests::events::Booked;
use events_tests::post::{Answered, Post};
use events_tests::{Broken, FaultyStore, OnSqlite, Scene, Troubles, take};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

#[tokio::test]
async fn an_event_whose_commit_is_unknown_comes_again_and_has_one_effect() {
    let scene = Scene::<OnSqlite>::new().await;
    let (post, troubles) = (Post::default(), Troubles::default());
    // The first time it is committed, the second time the inbox knows it.
    troubles.next("receive", [Broken::TooLate]);
    let builder = scene.process().await.handler::<take>().allow_unrouted().subscribe("suite", post.subscribe());
    let outbox = troubles.during(builder.wrap_store(FaultyStore::wrap).start()).await.unwrap();
    let event = Arc::new(envelope(Booked::TOPIC, r#"{"n":7}"#.to_owned()));
    post.deliver(&event);
    wait_until("it is acknowledged", async || post.answers.all().contains(&Answered::Acked(event.id))).await;
    assert!(matches!(&post.answers.all()[0], Answered::Refused(_, reason) if reason.contains("COMMIT")));
    assert_eq!((scene.business().await, scene.book.begun.len()), (vec![7], 1));
    assert_eq!((outbox.stats().received, outbox.stats().duplicates), (0, 1));
}

/// An event whose business key cannot always be told.
#[domain_event(topic = "receipt.odd", key = line, local)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Odd {
    line: i64,
    n: i64,
}

impl Odd {
    fn number(&self) -> i64 {
        assert!(self.n % 2 == 1, "{} is even", self.n);
        self.n
    }
}

#[subscribe(group = "suite", manual, dedupe = number())]
async fn count_odd(event: Odd, State(seen): State<Seen<Odd>>) {
    seen.push(event);
}

#[tokio::test]
async fn a_business_key_that_panics_is_a_failed_attempt_and_what_is_behind_it_goes_on() {
    let (scene, post, seen) = (Scene::<OnSqlite>::new().await, Post::default(), Seen::<Odd>::new());
    let builder = scene.process().await.state(seen.clone()).handler::<count_odd>().subscribe("suite", post.subscribe());
    let _outbox = builder.start().await.unwrap();
    for n in [2, 3] {
        let mut event = envelope(Odd::TOPIC, format!(r#"{{"line":1,"n":{n}}}"#));
        event.key = Some("1".into());
        post.deliver(&Arc::new(event));
    }
    assert_eq!(seen.wait_for(1, Duration::from_secs(10)).await, [Odd { line: 1, n: 3 }]);
    let refused = |answer: &Answered| matches!(answer, Answered::Refused(_, why) if why.contains("2 is even"));
    assert!(post.answers.all().iter().any(refused), "{:?}", post.answers.all());
}

fn envelope(topic: &'static str, payload: String) -> Envelope {
    Envelope {
        id: EventId::now(),
        topic: topic.into(),
        version: 1,
        key: None,
        occurred_at: time::OffsetDateTime::now_utc(),
        source: "/".into(),
        content_type: "application/json".into(),
        headers: Headers::new(),
        payload: payload.into(),
    }
}
