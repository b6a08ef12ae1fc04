//! What does not fit together is found at start-up, all of it at once, with its cure.

use async_trait::async_trait;
use events_core::test_kit::{Faults, ScriptedTransport, Seen};
use events_core::{
    BuildError, Completion, Context, DeliveryError, DomainEvent, Envelope, FromContext, Registry, RegistryBuilder, RelayOptions,
    Requirements, RetryPolicy, State, Transport, UnitOfWorkArg, after_commit, after_completion, subscribe,
};
use events_sqlx::Filter;
use events_sqlx::sqlite::UnitOfWork;
use events_tests::events::{Sent, Stepped, copy, note};
use events_tests::post::Post;
use events_tests::{Harness, OnSqlite, Scene};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// Events that are declared by hand, so that each test has only its own.
macro_rules! event {
    ($name:ident, $topic:literal $(, $constant:ident: $type:ty = $value:expr)*) => {
        #[derive(Serialize, Deserialize)]
        struct $name;
        impl DomainEvent for $name {
            const TOPIC: &'static str = $topic;
            $(const $constant: $type = $value;)*
        }
    };
}

event!(Lonely, "test.lonely", LOCAL: bool = true);
event!(Abroad, "test.abroad");
event!(ToRadio, "test.to_radio", TO: Option<&'static str> = Some("radio"));
event!(FirstClaim, "test.claimed", VERSION: u16 = 3, LOCAL: bool = true);
event!(SecondClaim, "test.claimed", VERSION: u16 = 3, LOCAL: bool = true);

fn registry() -> RegistryBuilder {
    let mut builder = Registry::builder();
    builder.without_linked_handlers();
    builder
}

#[track_caller]
fn refused(builder: RegistryBuilder) -> String {
    match builder.build() {
        Err(error) => error.to_string(),
        Ok(_) => panic!("nothing was found"),
    }
}

#[after_commit(manual)]
async fn lonely(_: Lonely) {}

#[after_commit(manual, name = "lonely")]
async fn namesake(_: Lonely) {}

#[after_commit(manual, name = "solitary", renamed_from = "lonely")]
async fn renamed(_: Lonely) {}

#[after_commit(manual)]
async fn stateful(_: Lonely, State(_): State<Seen<u8>>) {}

event!(Grown, "test.grown", VERSION: u16 = 3, OLDEST: u16 = 2, LOCAL: bool = true);
event!(GrownBefore, "test.grown", LOCAL: bool = true);
event!(Settled, "test.settled", VERSION: u16 = 2, SINCE: u16 = 2, LOCAL: bool = true);

#[after_commit(manual)]
async fn grown(_: Grown) {}

#[after_commit(manual)]
async fn grown_before(_: GrownBefore) {}

#[subscribe(group = "growth", manual)]
async fn grown_abroad(_: Grown) {}

#[after_commit(manual)]
async fn settled(_: Settled) {}

#[test]
fn a_version_that_nothing_reads_is_missing() {
    let mut builder = registry();
    builder.event::<Grown>().handler::<grown>();
    assert_eq!(
        refused(builder),
        "handler `grown` takes `engine::start_up::Grown` (topic `test.grown`) from version 2 on, and nothing reads version 1; keep the type of \
         version 1 and write `upcasts = ..` on `engine::start_up::Grown`, or `since = 2` if no event of version 1 exists any more"
    );
    // Somebody else may read it, but for the same events: what brokers deliver is another matter.
    let mut builder = registry();
    builder.event::<Grown>().event::<GrownBefore>().handler::<grown>().handler::<grown_before>();
    assert!(builder.build().is_ok());
    let mut builder = registry();
    builder.event::<Grown>().event::<GrownBefore>().handler::<grown_before>().handler::<grown_abroad>();
    builder.subscribe("growth", Post::default().subscribe());
    assert!(refused(builder).contains("handler `grown_abroad` takes"));
    let mut builder = registry();
    builder.event::<Settled>().handler::<settled>();
    assert!(builder.build().is_ok());
}

#[test]
fn missing_state() {
    let mut builder = registry();
    builder.event::<Lonely>().handler::<stateful>();
    assert_eq!(
        refused(builder),
        "handler `stateful` needs `State<events_core::test_kit::seen::Seen<u8>>`, which was not given; call `.state(..)` on the outbox builder"
    );
}

/// An extractor that needs state.
struct Tenant;

impl FromContext for Tenant {
    fn require(requirements: &mut Requirements) {
        requirements.state::<String>();
    }
    fn from_context(_: &Context<'_>) -> Result<Self, DeliveryError> {
        Ok(Self)
    }
}

#[after_commit(manual)]
async fn extracting(_: Lonely, _: Tenant) {}

#[test]
fn missing_state_of_an_extractor() {
    let mut builder = registry();
    builder.event::<Lonely>().handler::<extracting>();
    assert_eq!(
        refused(builder),
        "handler `extracting` needs `State<alloc::string::String>`, which was not given; call `.state(..)` on the outbox builder"
    );
    let mut builder = registry();
    builder.event::<Lonely>().handler::<extracting>().state(String::new());
    assert!(builder.build().is_ok());
}

#[test]
fn two_types_with_one_topic_and_version() {
    let mut builder = registry();
    builder.event::<FirstClaim>().event::<SecondClaim>().allow_unrouted();
    assert_eq!(
        refused(builder),
        "topic `test.claimed` version 3 is claimed by both `engine::start_up::FirstClaim` and `engine::start_up::SecondClaim`; \
         give one of them another topic or `version`"
    );
    let mut builder = registry();
    builder.event::<FirstClaim>().event::<FirstClaim>().allow_unrouted();
    assert!(builder.build().is_ok(), "the same type twice is no conflict");
}

#[test]
fn two_handlers_with_one_name() {
    let text = "two handlers are named `lonely`; give one of them `name = \"..\"`";
    let mut builder = registry();
    builder.event::<Lonely>().handler::<lonely>().handler::<namesake>();
    assert_eq!(refused(builder), text);
    // An earlier name is taken too: two handlers would take its waiting deliveries.
    let mut builder = registry();
    builder.event::<Lonely>().handler::<lonely>().handler::<renamed>();
    assert_eq!(refused(builder), text);
}

#[tokio::test]
async fn names_that_do_not_fit_their_column() {
    const RULE: &str = "but it must have 1 to 255 bytes, and no NUL among them";
    let mut builder = registry();
    let name = "ü".repeat(128);
    builder.allow_unrouted().transport(ScriptedTransport::new(&*name, Faults::none()));
    assert_eq!(refused(builder), format!("the name of a target is \"transport:{name}\", {RULE}"));
    let scene = Scene::<OnSqlite>::new().await;
    let error = scene.process().await.source("/orders\0").start().await.unwrap_err();
    assert_eq!(error.to_string(), format!("the source is \"/orders\\0\", {RULE}"));
}

#[test]
fn two_transports_with_one_name() {
    let mut builder = registry();
    builder.transport(ScriptedTransport::new("radio", Faults::none())).transport(ScriptedTransport::new("radio", Faults::none()));
    // The events of the suite that are not `local` do not know which one to take, either.
    assert!(refused(builder).contains("\n  - two transports are named `radio`; give one of them another name"));
    let error = BuildError::DuplicateTransport { name: "radio".into() };
    assert_eq!(error.to_string(), "two transports are named `radio`; give one of them another name");
}

#[test]
fn a_handler_of_an_event_that_nobody_declares() {
    let mut builder = registry();
    builder.handler::<lonely>();
    assert_eq!(
        refused(builder),
        "handler `lonely` takes `engine::start_up::Lonely` (topic `test.lonely`), which nobody declares; annotate the type with \
         `#[domain_event]`, or call `.event::<engine::start_up::Lonely>()` on the outbox builder"
    );
}

#[test]
fn an_event_without_a_target() {
    let cure = "add a handler, or call `.allow_unrouted()` on the outbox builder. (A handler crate that is never named in the source \
                registers nothing: write `use my_handlers as _;`)";
    let mut builder = registry();
    builder.event::<Lonely>();
    assert_eq!(
        refused(builder),
        format!("`engine::start_up::Lonely` (topic `test.lonely`) has no target: no handler takes it and it is `local`; {cure}")
    );
    let mut builder = registry();
    builder.event::<Abroad>();
    assert_eq!(
        refused(builder),
        format!(
            "`engine::start_up::Abroad` (topic `test.abroad`) has no target: no handler takes it and no transport is installed; {cure}"
        )
    );
    let mut builder = registry();
    builder.event::<Lonely>().event::<Abroad>().allow_unrouted();
    let lines = builder.build().ok().unwrap().describe();
    for line in ["test.lonely v1 -> nobody", "test.abroad v1 -> nobody"] {
        assert!(lines.iter().any(|other| other == line), "{line} is not in {lines:?}");
    }
}

#[test]
fn an_event_to_a_transport_that_is_not_there() {
    let text =
        "`engine::start_up::ToRadio` is sent `to = \"radio\"`, but no transport has that name; call `.transport(..)` on the outbox builder";
    let mut builder = registry();
    builder.event::<ToRadio>().transport(ScriptedTransport::new("television", Faults::none()));
    assert_eq!(refused(builder).lines().find(|line| line.contains("ToRadio")).map(|line| line.trim_start_matches("  - ")), Some(text));
    let mut builder = registry();
    builder.event::<ToRadio>().transport(ScriptedTransport::new("radio", Faults::none()));
    assert!(builder.build().is_ok());
}

#[test]
fn an_event_that_could_go_to_several_transports() {
    let mut builder = registry();
    builder.event::<Abroad>();
    for name in ["radio", "television"] {
        builder.transport(ScriptedTransport::new(name, Faults::none()));
    }
    let text = "`engine::start_up::Abroad` does not say which of the transports transport:radio, transport:television takes it; \
                add `to = \"..\"` or `local` to its `#[domain_event]`";
    assert!(refused(builder).contains(text));
}

/// The unit of work of some other database.
struct ForeignUnit;
impl UnitOfWorkArg for ForeignUnit {}

#[after_commit(manual)]
async fn foreign(_: Lonely, uow: &mut ForeignUnit) {
    let _ = uow;
}

#[tokio::test]
async fn a_handler_with_the_unit_of_work_of_another_database() {
    let scene = Scene::<OnSqlite>::new().await;
    let error = scene.process().await.event::<Lonely>().handler::<foreign>().start().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "handler `foreign` takes `&mut engine::start_up::ForeignUnit`, but this outbox runs \
         `events_sqlx::unit_of_work::UnitOfWork<sqlx_sqlite::database::Sqlite>`; take that one, or install the handler's outbox"
    );
    let mut builder = registry();
    builder.event::<Lonely>().handler::<foreign>();
    assert!(refused(builder).contains("but this outbox runs `no unit of work`"));
}

#[after_commit(manual)]
async fn curious(_: Lonely, completion: Completion) {
    let _ = completion;
}

#[after_completion(manual, name = "told_of_the_lonely")]
async fn told(_: Lonely, completion: Completion) {
    let _ = completion;
}

#[test]
fn a_handler_that_wants_to_know_how_it_ended_in_the_wrong_phase() {
    let mut builder = registry();
    builder.event::<Lonely>().handler::<curious>();
    assert_eq!(refused(builder), "handler `curious` takes `Completion`, which only `#[after_completion]` handlers are told");
    let mut builder = registry();
    builder.event::<Lonely>().handler::<told>();
    assert!(builder.build().is_ok(), "and a handler in memory is somebody who hears of the event");
}

#[test]
fn several_problems_are_told_at_once() {
    let mut builder = registry();
    builder.event::<Lonely>().handler::<stateful>().handler::<lonely>().handler::<namesake>().retry(RetryPolicy::default().attempts(0));
    assert_eq!(
        refused(builder),
        "3 problems:\n  - two handlers are named `lonely`; give one of them `name = \"..\"`\
         \n  - handler `stateful` needs `State<events_core::test_kit::seen::Seen<u8>>`, which was not given; call `.state(..)` on the \
         outbox builder\n  - the number of attempts is 0, but a delivery needs at least 1"
    );
}

#[tokio::test]
async fn options_that_cannot_work() {
    let scene = Scene::<OnSqlite>::new().await;
    let refused =
        async |options: RelayOptions| scene.process().await.relay(options).handler::<note>().start().await.unwrap_err().to_string();
    let (millis, good) = (Duration::from_millis, RelayOptions::default);
    let lease = RelayOptions { lease: millis(99), ..good() };
    assert_eq!(refused(lease).await, "the lease is 99ms, but it must last at least 100 ms");
    let poll = RelayOptions { poll: Duration::ZERO, ..good() };
    assert_eq!(refused(poll).await, "the poll interval is 0ns, but it must be at least 1 ms");
    let maintenance = RelayOptions { maintenance: Duration::ZERO, ..good() };
    assert_eq!(refused(maintenance).await, "the maintenance interval is 0ns, but it must be at least 1 ms");
    let linger = RelayOptions { lease: millis(300), linger: millis(101), ..good() };
    assert_eq!(refused(linger).await, "the settlement linger is 101ms, but it must be at most a third of the lease");
    let call_timeout = RelayOptions { call_timeout: Duration::ZERO, ..good() };
    assert_eq!(refused(call_timeout).await, "the call timeout is 0, but database calls need some time");
    for batch in [0, 10_001] {
        let text = format!("the batch is {batch}, but it must be between 1 and 10,000");
        assert_eq!(refused(RelayOptions { batch, ..good() }).await, text);
    }
    let abandoned = RelayOptions { max_abandoned: 0, ..good() };
    assert_eq!(refused(abandoned).await, "the number of abandoned leases is 0, but a process may die once without blame");
    let memory = RelayOptions { hand_over_memory: usize::MAX, ..good() };
    assert_eq!(refused(memory).await, format!("the hand-over memory is {}, but it must be below 4 TiB", usize::MAX));

    let no_payload = scene.process().await.max_payload(0).handler::<note>().start().await.unwrap_err();
    assert_eq!(no_payload.to_string(), "the payload limit is 0, but events need some bytes");
}

#[tokio::test]
async fn what_an_outbox_delivers_where_can_be_read() {
    let scene = Scene::<OnSqlite>::new().await;
    let radio = ScriptedTransport::new("radio", Faults::none());
    let process = scene.process().await.handler::<note>().handler::<copy>().handler::<<OnSqlite as Harness>::Book>().transport(radio);
    let outbox = process.start_idle().await.unwrap();
    let lines = outbox.describe();
    for line in ["test.booked v1 -> book", "test.noted v1 -> copy, note", "test.sent v1 -> transport:radio", "test.stepped v1 -> nobody"] {
        assert!(lines.iter().any(|other| other == line), "{line} is not in {lines:?}");
    }
    // An event that was not declared to this outbox is refused at commit.
    let error = outbox.run(async |uow| uow.publish(Lonely)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the event on topic `test.lonely` version 1 is not declared to this outbox; annotate its type with `#[domain_event]` or call \
         `.event::<E>()` on the outbox builder"
    );
    // An event that nobody here takes leaves no row: without the linked handlers that is allowed.
    outbox.run(async |uow| uow.publish(Stepped { line: 1, step: 1 })).await.unwrap();
    assert_eq!(outbox.waiting().await.unwrap(), 0);
}

/// A transport that answers too few results.
struct Terse;

#[async_trait]
impl Transport for Terse {
    fn name(&self) -> &str {
        "terse"
    }
    async fn send(&self, _: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>> {
        Vec::new()
    }
}

#[tokio::test]
async fn a_transport_that_answers_too_few_results_has_failed() {
    let scene = Scene::<OnSqlite>::new().await;
    let retry = RetryPolicy::default().attempts(1);
    let outbox = scene.process().await.transport(Terse).retry(retry).start().await.unwrap();
    outbox.run(async |uow| uow.publish(Sent { line: 1, step: 1 })).await.unwrap();
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    let letter = outbox.dead_letters().list(&Filter::all()).await.unwrap().remove(0);
    assert_eq!(letter.failures[0].error, "transport `terse` answered 0 results for 1 events; it must answer one each");
}

#[subscribe(group = "hermits", manual)]
async fn heard(_: Abroad) {}

#[test]
fn a_subscriber_without_a_subscription_and_the_other_way_round() {
    let mut builder = registry();
    builder.handler::<heard>().event::<Abroad>();
    assert_eq!(
        refused(builder),
        "handler `heard` hears the group `hermits`, which has no subscription; call `.subscribe(\"hermits\", ..)` on the outbox builder"
    );
    let mut builder = registry();
    builder.subscribe("anchorites", Post::default().subscribe());
    let said = refused(builder);
    assert!(said.contains("group `anchorites`") && said.contains("`#[subscribe(group = \"anchorites\")]`"), "{said}");
    let mut builder = registry();
    builder.handler::<heard>().event::<Abroad>().subscribe("hermits", Post::default().subscribe());
    assert!(builder.build().is_ok(), "an event that is only received needs no target");
}

// What only comes from brokers would be lost if it were published here.
#[tokio::test]
async fn an_event_that_is_only_received_cannot_be_published() {
    let scene = Scene::<OnSqlite>::new().await;
    let builder = scene.process().await.handler::<heard>().event::<Abroad>();
    let outbox = builder.subscribe("hermits", Post::default().subscribe()).start().await.unwrap();
    let error = outbox.run(async |uow: &mut UnitOfWork| uow.publish(Abroad)).await.unwrap_err();
    assert!(error.to_string().contains("only receives such events"), "{error}");
}
