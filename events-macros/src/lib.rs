//! The attribute macros of `events-core`, which re-exports them; depend on that crate, not on this one.
//!
//! Each macro parses its annotation, validates it against the item, and expands. Every mistake of one annotation is
//! reported in one go, at the token that is wrong. The item itself is always kept as it was written, and after a
//! mistake a stand-in implementation is written, so that the mistake does not echo through every use.

// Parse: what was written.
mod attribute;
mod value;

// Validate: what it means, or why it means nothing.
mod argument;
mod backoff;
mod duration;
mod fields;
mod name;
mod options;
mod payload;
mod phase;
mod sensitive;
mod serde_words;
mod signature;
mod topic;

// Expand: what is generated.
mod domain_event;
mod handler;
mod json_schema;
mod stand_in;

// What all of them need to say what is wrong.
mod errors;
mod nearest;

use phase::Phase;
use proc_macro::TokenStream;

/// Declares a domain event: a struct with named fields that is published, stored and handled under a topic.
///
/// ```
/// use events_core::{DomainEvent, domain_event};
/// use serde::{Deserialize, Serialize};
///
/// #[domain_event(topic = "order.payok", version = 2, since = 2, key = order_id)]
/// #[derive(Serialize, Deserialize)]
/// struct OrderPaid {
///     order_id: i64,
///     amount_cents: i64,
/// }
///
/// let event = OrderPaid { order_id: 7, amount_cents: 1200 };
/// assert_eq!((OrderPaid::TOPIC, OrderPaid::VERSION), ("order.payok", 2));
/// assert_eq!(event.key().as_deref(), Some("7"));
/// ```
///
/// | key | meaning | without it |
/// |---|---|---|
/// | `topic = "order.payok"` | The kind of fact: lowercase ASCII letters and digits joined by `.`, `-` or `_`, at most 255 characters. | required |
/// | `version = 2` | Version of the payload's shape. | 1 |
/// | `upcasts = OrderPaidV1` | The type of the version before, whose payloads are read as this one by `impl Upcast<OrderPaidV1> for OrderPaid`. | older payloads are not read |
/// | `since = 2` | No event of a version before this one exists anywhere any more, so nobody need read them. | events exist since version 1 |
/// | `key = order_id` | Events with equal keys reach each target in commit order. A field, or an expression such as `key = self.order.id` or `key = format!("order-{}", self.id)`; anything that implements `Display`. | no order |
/// | `local` | The event stays in this process: handlers get it, transports do not. | |
/// | `to = "nats"` | The one transport that takes the event. | the only one installed |
/// | `delay = "5s"` | The event becomes deliverable so long after COMMIT. | at once |
///
/// Durations are a whole number with a unit: `ms`, `s`, `m`, `h` or `d`.
///
/// The struct also derives `Serialize` and `Deserialize`, owns its fields and is not generic, because a topic and a
/// version name one payload shape. Enums and tuple structs are refused: an enum is several facts, and the payload of a
/// tuple struct could not grow.
///
/// # Sensitive fields
/// `#[event(sensitive)]` on a field keeps its value out of what people see: the type's `Debug`, lists of deliveries and dead letters, and the
/// errors that are kept and logged when a payload does not fit. The payload itself has it in clear; see `PayloadKeys` for encryption.
///
/// ```
/// use events_core::{DomainEvent, domain_event};
/// use serde::{Deserialize, Serialize};
///
/// #[domain_event(topic = "card.charged", key = order_id)]
/// #[derive(Debug, Serialize, Deserialize)]
/// struct CardCharged {
///     order_id: i64,
///     #[event(sensitive)]
///     card: String,
/// }
///
/// let event = CardCharged { order_id: 7, card: "4111 1111".to_owned() };
/// assert_eq!(format!("{event:?}"), "CardCharged { order_id: 7, card: <sensitive> }");
/// assert_eq!(CardCharged::SENSITIVE, ["card"]);
/// ```
///
/// `#[derive(Debug)]` stands below `#[domain_event]`: one above it is expanded first and would show everything, so it does not compile
/// beside a sensitive field. Nor does a `Debug` written by hand. The names are those that serde's `rename` and `rename_all` give; a field that
/// is flattened cannot be sensitive, and neither can the ordering key, which is stored and shown in clear.
#[proc_macro_attribute]
pub fn domain_event(annotation: TokenStream, item: TokenStream) -> TokenStream {
    domain_event::expand(annotation.into(), &item.into()).into()
}

/// Declares a handler that runs inside the publishing unit of work, just before COMMIT; its error rolls everything back.
///
/// ```
/// use events_core::{before_commit, domain_event};
/// use serde::{Deserialize, Serialize};
///
/// #[domain_event(topic = "order.payok")]
/// #[derive(Serialize, Deserialize)]
/// struct OrderPaid {
///     amount_cents: i64,
/// }
///
/// #[before_commit]
/// async fn check_amount(event: &OrderPaid) -> Result<(), String> {
///     if event.amount_cents > 0 { Ok(()) } else { Err("nothing was paid".to_owned()) }
/// }
/// ```
///
/// The function takes the event by reference, because it is still to be written, and then, in any order, at most one
/// `&mut UnitOfWork`, which is the publishing one, and extractors such as `State<T>`.
///
/// | key | meaning | without it |
/// |---|---|---|
/// | `name = "check_amount"` | The handler's name in logs. | the function's name |
/// | `manual` | The handler runs only if it is given to the outbox builder: `.handler::<check_amount>()`. | it is found by itself |
///
/// There is nothing to retry: the handler runs once.
#[proc_macro_attribute]
pub fn before_commit(annotation: TokenStream, item: TokenStream) -> TokenStream {
    handler::expand(Phase::BeforeCommit, annotation.into(), &item.into()).into()
}

/// Declares a handler that runs after COMMIT, at least once, and is retried when it fails.
///
/// ```
/// use events_core::{State, after_commit, domain_event};
/// use serde::{Deserialize, Serialize};
///
/// #[domain_event(topic = "order.payok")]
/// #[derive(Serialize, Deserialize)]
/// struct OrderPaid {
///     order_id: i64,
/// }
///
/// #[derive(Clone)]
/// struct TicketDesk;
///
/// impl TicketDesk {
///     async fn issue(&self, order_id: i64) -> Result<(), std::io::Error> {
/// #       let _ = order_id;
///         Ok(())
///     }
/// }
///
/// #[after_commit(attempts = 5, backoff = "1s..10m", timeout = "30s")]
/// async fn issue_ticket(event: OrderPaid, State(desk): State<TicketDesk>) -> Result<(), std::io::Error> {
///     desk.issue(event.order_id).await
/// }
/// ```
///
/// The annotation goes on a free `async fn`. It takes the event by value and then, in any order, extractors such as
/// `State<T>` or `Metadata`, and at most one `&mut UnitOfWork`: then the delivery is settled in that unit of work, and
/// the handler's effect on the database happens exactly once. It returns `()` or `Result<(), E>` for any error.
///
/// | key | meaning | without it |
/// |---|---|---|
/// | `name = "issue_ticket"` | The name deliveries are stored under: 1 to 100 ASCII letters, digits, `_`, `.` and `-`. | the function's name |
/// | `renamed_from = "issue"` | A former name, whose waiting deliveries this handler takes too. May be repeated, or given a list: `["a", "b"]`. | |
/// | `attempts = 5` | Deliveries before the event goes to the dead letters, the first one included. | the outbox's |
/// | `backoff = "1s..10m"` | The wait between attempts: doubling from the first to the longest; `"30s"`, always the same; `"1s, 5s, 30s"`, one by one, the last one repeated. | the outbox's |
/// | `dead_letters = "block_key"` | What waits for the same key behind a dead letter waits until somebody redrives or discards that; with `"continue"` it goes on. | the outbox's |
/// | `timeout = "30s"` | An attempt that takes longer has failed. | the outbox's |
/// | `concurrency = 8` | How many deliveries to this handler run at once. | the outbox's |
/// | `idempotent` | A second call with the same event does no harm. Nothing is done differently; `install()` no longer reminds of it. | `install()` logs the handler's name: it may be called again |
/// | `at_most_once` | The handler is called once and never again, whatever happens. | it is called until it succeeds, at most `attempts` times |
/// | `manual` | The handler runs only if it is given to the outbox builder: `.handler::<issue_ticket>()`. | it is found by itself |
///
/// Durations are a whole number with a unit: `ms`, `s`, `m`, `h` or `d`.
///
/// # Effects outside the database
/// A mail that was sent cannot be rolled back, and a process may die after it was sent and before that is written down. Then the handler is
/// called again: it is called *at least* once. So a handler with such an effect says what a second call means:
///
/// - `idempotent`: no harm. The other side knows the event by its id (`Metadata`), as most payment services do with an idempotency key.
/// - `at_most_once`: worse than no call. That the call begins is written down before it does. If it fails, or if its process dies, it is not
///   repeated: the event goes to the dead letters, with the error or with the reason `interrupted`, where somebody finds it, looks how it
///   ended and redrives or discards it. Only `DeliveryError::unavailable`, with which the handler says itself that nothing happened, lets
///   it come again. It costs one more statement per call.
///
/// ```
/// # use events_core::{after_commit, domain_event};
/// # use serde::{Deserialize, Serialize};
/// # #[domain_event(topic = "shop.text_wanted")]
/// # #[derive(Serialize, Deserialize)]
/// # struct TextWanted { number: String }
/// # async fn send_sms(_: &str) -> Result<(), std::io::Error> { Ok(()) }
/// #[after_commit(at_most_once)]
/// async fn text_customer(event: TextWanted) -> Result<(), std::io::Error> {
///     send_sms(&event.number).await
/// }
/// ```
#[proc_macro_attribute]
pub fn after_commit(annotation: TokenStream, item: TokenStream) -> TokenStream {
    handler::expand(Phase::AfterCommit, annotation.into(), &item.into()).into()
}

/// Declares a handler that runs in memory after a rollback, best effort.
///
/// ```
/// use events_core::{after_rollback, domain_event};
/// use serde::{Deserialize, Serialize};
///
/// #[domain_event(topic = "order.payok", local)]
/// #[derive(Serialize, Deserialize)]
/// struct OrderPaid {
///     order_id: i64,
/// }
///
/// #[after_rollback]
/// async fn warn(event: OrderPaid) {
///     eprintln!("order {} was not paid after all", event.order_id);
/// }
/// ```
///
/// The function takes the event by value and then extractors. There is no unit of work to take: it is over.
///
/// | key | meaning | without it |
/// |---|---|---|
/// | `name = "warn"` | The handler's name in logs. | the function's name |
/// | `manual` | The handler runs only if it is given to the outbox builder: `.handler::<warn>()`. | it is found by itself |
#[proc_macro_attribute]
pub fn after_rollback(annotation: TokenStream, item: TokenStream) -> TokenStream {
    handler::expand(Phase::AfterRollback, annotation.into(), &item.into()).into()
}

/// Declares a handler that runs in memory once the unit of work has ended, best effort, and may ask how.
///
/// ```
/// use events_core::{Completion, after_completion, domain_event};
/// use serde::{Deserialize, Serialize};
///
/// #[domain_event(topic = "order.payok", local)]
/// #[derive(Serialize, Deserialize)]
/// struct OrderPaid {
///     order_id: i64,
/// }
///
/// #[after_completion]
/// async fn log(event: OrderPaid, completion: Completion) {
///     println!("the payment of order {} is {completion:?}", event.order_id);
/// }
/// ```
///
/// The function takes the event by value and then extractors, of which `Completion` is one. There is no unit of work to
/// take: it is over.
///
/// | key | meaning | without it |
/// |---|---|---|
/// | `name = "log"` | The handler's name in logs. | the function's name |
/// | `manual` | The handler runs only if it is given to the outbox builder: `.handler::<log>()`. | it is found by itself |
#[proc_macro_attribute]
pub fn after_completion(annotation: TokenStream, item: TokenStream) -> TokenStream {
    handler::expand(Phase::AfterCompletion, annotation.into(), &item.into()).into()
}

/// Declares a handler of events that a broker delivers. Its effect on the database happens exactly once, however often they come.
///
/// ```
/// use events_core::{State, domain_event, subscribe};
/// use serde::{Deserialize, Serialize};
///
/// #[domain_event(topic = "order.payok")]
/// #[derive(Serialize, Deserialize)]
/// struct OrderPaid {
///     order_id: i64,
/// }
///
/// #[derive(Clone)]
/// struct TicketDesk;
///
/// impl TicketDesk {
///     async fn issue(&self, order_id: i64) -> Result<(), std::io::Error> {
/// #       let _ = order_id;
///         Ok(())
///     }
/// }
///
/// #[subscribe(group = "ticketing")]
/// async fn issue_ticket(event: OrderPaid, State(desk): State<TicketDesk>) -> Result<(), std::io::Error> {
///     desk.issue(event.order_id).await
/// }
/// ```
///
/// The subscription of that group is given to the outbox builder: `.subscribe("ticketing", subscription)`. The function takes the event
/// by value and then, in any order, at most one `&mut UnitOfWork` and extractors such as `State<T>` or `Metadata`.
///
/// It runs in a unit of work of its own, whether it takes that or not, which begins with a row in the inbox: the handler's name and the
/// event's id. If the row is there already, the event has had its effect, and is acknowledged without a call. What the handler writes and
/// publishes is committed with that row; effects elsewhere (a mail, an HTTP call) may happen again after a crash. An error rolls
/// everything back, and the event comes again when the subscription says so; `DeliveryError::terminal` sends it to the broker's
/// dead letters at once, and so does a payload that does not fit.
///
/// | key | meaning | without it |
/// |---|---|---|
/// | `group = "ticketing"` | Whose subscription it hears. All handlers of a group get all its events of their type. | required |
/// | `dedupe = order_id` | What has had its effect is told by this field of the event (or a method: `dedupe = number()`), not by the event's id: of two events with the same order, published by mistake or by two services, the second one has no effect. | the event's id |
/// | `name = "issue_ticket"` | The handler's name in the inbox. Keep it: under another name everything that comes again has its effect again. | the function's name |
/// | `timeout = "30s"` | A call that takes longer has failed. | 30 s |
/// | `manual` | The handler runs only if it is given to the outbox builder: `.handler::<issue_ticket>()`. | it is found by itself |
#[proc_macro_attribute]
pub fn subscribe(annotation: TokenStream, item: TokenStream) -> TokenStream {
    handler::expand(Phase::Subscribe, annotation.into(), &item.into()).into()
}
