//! Old versions of an event, read as the new one.

use crate::DomainEvent;

/// Makes an event of its version before, so that old payloads are read as the new type: those that wait in the outbox, those among the dead
/// letters, and those that brokers still keep. `upcasts = ..` says which type was the version before; each version knows only the one before
/// it, and older ones are reached step by step.
///
/// ```
/// use events_core::{DomainEvent, Upcast, domain_event};
/// use serde::{Deserialize, Serialize};
///
/// #[domain_event(topic = "order.payok")]
/// #[derive(Serialize, Deserialize)]
/// struct OrderPaidV1 { order_id: i64, amount: i64 } // in whole euros
///
/// #[domain_event(topic = "order.payok", version = 2, upcasts = OrderPaidV1)]
/// #[derive(Serialize, Deserialize)]
/// struct OrderPaid { order_id: i64, amount_cents: i64 }
///
/// impl Upcast<OrderPaidV1> for OrderPaid {
///     fn upcast(old: OrderPaidV1) -> Self {
///         Self { order_id: old.order_id, amount_cents: old.amount * 100 }
///     }
/// }
/// assert_eq!((OrderPaid::OLDEST, OrderPaid::VERSION), (1, 2));
/// ```
///
/// A version that is left out between two types does not compile. If nothing reads a version at all, the outbox does not start: keep the old
/// type, or say `since = 2` once no event of version 1 exists anywhere.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made of `{Old}`, the version before it",
    label = "`Upcast<{Old}>` is not implemented for `{Self}`",
    note = "write `impl Upcast<{Old}> for {Self}`, or leave out `upcasts`"
)]
pub trait Upcast<Old: DomainEvent>: DomainEvent {
    /// What the old event says in the words of the new one.
    fn upcast(old: Old) -> Self;
}

/// Refuses to compile if `Old` is not the version right before `New`.
#[doc(hidden)]
pub const fn follows<New: DomainEvent, Old: DomainEvent>() {
    assert!(equal(New::TOPIC, Old::TOPIC), "`upcasts` names an event of another topic; name the version before of the same topic");
    assert!(Old::VERSION < New::VERSION, "`upcasts` names a version that is not older; name the version before");
    assert!(
        Old::VERSION + 1 == New::VERSION,
        "a version is missing between this event and the one that `upcasts` names; name the one right before"
    );
}

/// `==` of texts is not const.
const fn equal(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut n = 0;
    while n < one.len() {
        if one[n] != other[n] {
            return false;
        }
        n += 1;
    }
    true
}
