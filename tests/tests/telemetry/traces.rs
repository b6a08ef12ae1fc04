//! An event and everything that follows from it are one trace.

use crate::spans::{Spans, work};
use events_core::test_kit::{Fault, Faults, ScriptedTransport, wait_until};
use events_core::{
    DeliveryError, MemoryTransport, Metadata, Publication, RelayOptions, State, Subscription, Transport, after_commit, publish, subscribe,
};
use events_sqlx::sqlite::{Outbox, UnitOfWork};
use events_tests::events::{Noted, Sent};
use events_tests::{BrokerHarness, OnNats, OnSqlite, Role, Scene, Terms};
use opentelemetry::SpanId;
use opentelemetry::trace::{SpanKind, Status};
use std::time::Duration;
use tracing::{Instrument, info_span, level_filters::LevelFilter};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A handler whose work can be seen in the trace.
#[after_commit(manual)]
async fn note_visibly(event: Noted, meta: Metadata, State(role): State<Role<Noted>>) -> Result<(), DeliveryError> {
    role.play(event, meta.attempt).await?;
    work();
    Ok(())
}

/// Hears of [`Sent`] by a broker, and publishes what follows from it.
#[subscribe(group = "suite", manual)]
async fn hear(event: Sent, meta: Metadata, uow: &mut UnitOfWork, State(role): State<Role<Sent>>) -> Result<(), DeliveryError> {
    work();
    uow.publish(Noted { n: event.step })?;
    role.play(event, meta.attempt).await
}

/// Publishes in a unit of work, in a span `pay` of the user's.
async fn pay(outbox: &Outbox, n: i64) {
    Scene::<OnSqlite>::publish(outbox, [n]).instrument(info_span!("pay")).await;
}

async fn send(outbox: &Outbox, line: i64) {
    let sent = outbox.run(async move |_: &mut UnitOfWork| publish(Sent { line, step: line }));
    sent.instrument(info_span!("pay")).await.unwrap();
}

#[tokio::test]
async fn a_delivery_from_memory_continues_the_trace_of_its_publisher() {
    let spans = Spans::of(LevelFilter::DEBUG);
    let scene = Scene::<OnSqlite>::new().await;
    let outbox = scene.timeless().await.handler::<note_visibly>().start_idle().await.unwrap();
    pay(&outbox, 1).await;
    Scene::<OnSqlite>::settle(&outbox).await;
    spans.is_tree(&[
        ("pay", None),
        ("outbox.publish", Some("pay")),
        ("outbox.commit", Some("pay")),
        ("outbox.deliver", Some("outbox.publish")),
        ("work", Some("outbox.deliver")),
    ]);
    spans.is_alone("outbox.settle");
}

#[tokio::test]
async fn a_delivery_after_a_crash_continues_the_trace_of_its_publisher() {
    let spans = Spans::of(LevelFilter::INFO);
    let scene = Scene::<OnSqlite>::new().await;
    // What it has begun it never finishes.
    let stuck = Role::<Noted>::default();
    stuck.gate.close();
    let dies = scene.timeless().await.state(stuck.clone()).handler::<note_visibly>().start_idle().await.unwrap();
    pay(&dies, 1).await;
    stuck.begun.wait_for(1, Duration::from_secs(30)).await;
    assert_eq!(scene.numbers("SELECT count(*) FROM outbox WHERE headers LIKE '{\"traceparent\":\"00-%-01\"}'").await, [1]);
    let next = scene.timeless().await.handler::<note_visibly>().start_idle().await.unwrap();
    scene.clock.advance(Duration::from_secs(60));
    assert_eq!(next.relay().scan().await.unwrap(), 1);
    Scene::<OnSqlite>::settle(&next).await;
    assert_eq!(next.stats().delivered_by_scanner, 1);
    spans.is_tree(&[("pay", None), ("outbox.deliver", Some("pay")), ("work", Some("outbox.deliver"))]);
}

/// From a unit of work over a broker into a handler, and what that handler publishes into another.
async fn over_a_broker(transport: impl Transport, subscription: impl Subscription + 'static) {
    let spans = Spans::of(LevelFilter::DEBUG);
    let (here, there) = (Scene::<OnSqlite>::new().await, Scene::<OnSqlite>::new().await);
    let heard = Role::<Sent>::default();
    let sender = here.process().await.event::<Sent>().transport(transport).start().await.unwrap();
    let process = there.process().await.state(heard.clone()).handler::<hear>().handler::<note_visibly>().subscribe("suite", subscription);
    let receiver = process.start().await.unwrap();
    send(&sender, 7).await;
    heard.done.wait_for(1, Duration::from_secs(30)).await;
    there.note.done.wait_for(1, Duration::from_secs(30)).await;
    Scene::<OnSqlite>::until_delivered(&sender).await;
    Scene::<OnSqlite>::until_delivered(&receiver).await;
    wait_until("it is acknowledged", async || receiver.in_flight() == 0 && receiver.stats().received == 1).await;
    let (sent, received) = (spans.one_of("outbox.deliver", "transport:"), spans.one("outbox.receive"));
    let published = spans.only(&spans.children_of("pay"), "outbox.publish");
    for span in [&sent, &received] {
        assert_eq!(
            (span.span_context.trace_id(), span.parent_span_id),
            (published.span_context.trace_id(), published.span_context.span_id())
        );
    }
    assert_eq!((&sent.span_kind, &received.span_kind), (&SpanKind::Producer, &SpanKind::Consumer));
    assert!(received.parent_span_is_remote);
    // What follows from it: published and committed by the handler, delivered to another.
    let followed = spans.children_of("outbox.receive");
    let next = spans.only(&followed, "outbox.publish");
    assert!(followed.iter().any(|span| span.name == "work") && followed.iter().any(|span| span.name == "outbox.commit"));
    let delivered = spans.one_of("outbox.deliver", "note_visibly");
    assert_eq!((delivered.span_context.trace_id(), delivered.parent_span_id), (sent.span_context.trace_id(), next.span_context.span_id()));
    sender.shutdown().await;
    receiver.shutdown().await;
}

#[tokio::test]
async fn what_comes_by_a_broker_in_the_process_continues_the_trace_of_its_publisher() {
    let broker = MemoryTransport::new("memory");
    let subscription = broker.subscribe("test.*");
    over_a_broker(broker, subscription).await;
}

#[tokio::test]
async fn what_comes_by_nats_continues_the_trace_of_its_publisher() {
    let broker = OnNats::start().await;
    let transport = broker.transport().await;
    let subscription = broker.subscribe("suite", Terms::default()).await;
    over_a_broker(transport, subscription).await;
}

#[tokio::test]
async fn a_batch_of_several_publishers_is_linked_to_each_of_them() {
    let spans = Spans::of(LevelFilter::INFO);
    let scene = Scene::<OnSqlite>::new().await;
    let process = scene.timeless().await.event::<Sent>().transport(ScriptedTransport::new("radio", Faults::none()));
    let outbox = process.start_idle().await.unwrap();
    let both = async |_: &mut UnitOfWork| -> Result<(), events_core::Error> {
        info_span!("one").in_scope(|| publish(Sent { line: 1, step: 1 }))?;
        info_span!("other").in_scope(|| publish(Sent { line: 2, step: 1 }))?;
        Ok(())
    };
    outbox.run(both).await.unwrap();
    Scene::<OnSqlite>::settle(&outbox).await;
    let batch = spans.one("outbox.deliver");
    let linked: Vec<_> = batch.links.iter().map(|link| link.span_context.span_id()).collect();
    assert_eq!(linked, ["one", "other"].map(|name| spans.one(name).span_context.span_id()));
    assert_eq!(batch.parent_span_id, SpanId::INVALID);
    // Of one publisher: nothing but its child.
    let two = outbox.run(async |_: &mut UnitOfWork| publish(Sent { line: 3, step: 1 }).and_then(|_| publish(Sent { line: 4, step: 1 })));
    spans.reset();
    two.instrument(info_span!("pay")).await.unwrap();
    Scene::<OnSqlite>::settle(&outbox).await;
    spans.is_tree(&[("pay", None), ("outbox.deliver", Some("pay"))]);
    assert_eq!(spans.one("outbox.deliver").links.len(), 0);
}

async fn with_headers(outbox: &Outbox, headers: &[(&str, &str)]) {
    let publication = headers.iter().fold(Publication::of(Noted { n: 1 }), |publication, (name, value)| publication.header(*name, *value));
    outbox.run(async |uow: &mut UnitOfWork| uow.publish_with(publication)).instrument(info_span!("pay")).await.unwrap();
}

#[tokio::test]
async fn a_trace_that_the_publisher_has_set_stays_and_is_continued() {
    let spans = Spans::of(LevelFilter::INFO);
    let scene = Scene::<OnSqlite>::new().await;
    let outbox = scene.timeless().await.handler::<note_visibly>().start_idle().await.unwrap();
    with_headers(&outbox, &[("traceparent", PARENT), ("tracestate", "vendor=1")]).await;
    Scene::<OnSqlite>::settle(&outbox).await;
    let delivered = spans.one("outbox.deliver");
    assert_eq!(delivered.span_context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(delivered.parent_span_id.to_string(), "00f067aa0ba902b7");
    assert_eq!(delivered.span_context.trace_state().header(), "vendor=1");
    // A state without a parent is the publisher's, too.
    spans.reset();
    with_headers(&outbox, &[("Tracestate", "vendor=2")]).await;
    Scene::<OnSqlite>::settle(&outbox).await;
    spans.is_alone("outbox.deliver");
}

#[tokio::test]
async fn a_trace_that_makes_no_sense_breaks_nothing() {
    let spans = Spans::of(LevelFilter::INFO);
    let scene = Scene::<OnSqlite>::new().await;
    let outbox = scene.timeless().await.handler::<note_visibly>().start_idle().await.unwrap();
    let none = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
    for headers in [[("traceparent", "garbage"), ("tracestate", "no list")], [("traceparent", none), ("tracestate", "")]] {
        spans.reset();
        with_headers(&outbox, &headers).await;
        Scene::<OnSqlite>::settle(&outbox).await;
        spans.is_alone("outbox.deliver");
    }
    // A state that makes no sense does not cost the trace.
    spans.reset();
    with_headers(&outbox, &[("traceparent", PARENT), ("tracestate", "no list")]).await;
    Scene::<OnSqlite>::settle(&outbox).await;
    assert_eq!(spans.one("outbox.deliver").parent_span_id.to_string(), "00f067aa0ba902b7");
    assert_eq!(outbox.stats().delivered_from_memory, 3);
}

#[tokio::test]
async fn without_a_trace_there_are_no_headers() {
    let scene = Scene::<OnSqlite>::new().await;
    let limits = RelayOptions { hand_over: 0, ..RelayOptions::default() };
    let outbox = scene.process().await.relay(limits).handler::<note_visibly>().start_idle().await.unwrap();
    pay(&outbox, 1).await;
    assert_eq!(scene.numbers("SELECT count(*) FROM outbox WHERE headers = '{}'").await, [1]);
}

#[tokio::test]
async fn a_failed_delivery_says_so_in_its_span() {
    let spans = Spans::of(LevelFilter::INFO);
    let scene = Scene::<OnSqlite>::new().await;
    let outbox = scene.timeless().await.handler::<note_visibly>().start_idle().await.unwrap();
    scene.note.faults.next(1, Fault::Retryable);
    pay(&outbox, 1).await;
    Scene::<OnSqlite>::settle(&outbox).await;
    let delivered = spans.one("outbox.deliver");
    assert!(matches!(&delivered.status, Status::Error { description } if description.contains("a fault on command")), "{delivered:?}");
    assert_eq!(spans.attribute(&delivered, "outbox.outcome"), "retry");
    assert_eq!(spans.attribute(&delivered, "outbox.attempt"), "1");
    assert_eq!(spans.attribute(&delivered, "messaging.destination.name"), "test.noted");
}
