//! Compares what customers were told with what both services have written down. Pure: knows no database and no outbox.

use crate::{books::Books, customers::Tally, status::Status};
use std::collections::HashMap;

/// Something that must be true, and where it is not.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) claim: &'static str,
    pub(crate) violations: Vec<String>,
}

/// The result.
#[derive(Debug)]
pub(crate) struct Audit {
    pub(crate) checks: Vec<Check>,
    /// Orders that were placed, and are done on both sides.
    pub(crate) done: u64,
    /// Orders that were placed, and are not.
    pub(crate) lost: u64,
}

impl Audit {
    pub(crate) fn of(books: &Books, tally: &Tally) -> Self {
        let mut parcels: HashMap<&str, Vec<i64>> = HashMap::new();
        for (order_no, quantity) in &books.parcels {
            parcels.entry(order_no).or_default().push(*quantity);
        }
        let (mut undone, mut packed_wrong, mut versions) = (Vec::new(), Vec::new(), Vec::new());
        let mut done = 0;
        for order in &tally.placed {
            let order_no = &*order.order_no;
            let packed = parcels.remove(order_no).unwrap_or_default();
            match books.messages.get(order_no) {
                Some(row) if row.status == Status::Done && !packed.is_empty() => done += 1,
                Some(row) => {
                    undone.push(format!("order {order_no} is {} in the shop, and has {} parcels", row.status.as_str(), packed.len()));
                }
                None => undone.push(format!("order {order_no} was placed, but the shop does not know it")),
            }
            if !packed.is_empty() && packed != [order.quantity] {
                packed_wrong.push(format!("of order {order_no} {} were wanted, and packed were {packed:?}", order.quantity));
            }
            // One for the row itself, and one for each step; the step to `processing` may have been skipped.
            if let Some(row) = books.messages.get(order_no)
                && row.status == Status::Done
                && !(2..=3).contains(&row.version)
            {
                versions.push(format!("order {order_no} is done in version {}", row.version));
            }
        }
        let known = tally.rolled_back.iter().filter(|order| books.messages.contains_key(&order.order_no));
        let rolled_back = known.map(|order| format!("order {} was rolled back, and is in the shop", order.order_no));
        let strays = parcels.keys().map(|order_no| format!("a parcel of order {order_no} was packed, which nobody placed"));
        let checks = vec![
            Check { claim: "nothing is left of an order that was rolled back", violations: rolled_back.collect() },
            Check { claim: "nothing was packed that was not placed", violations: strays.collect() },
            Check { claim: "every order was packed once", violations: packed_wrong },
            Check { claim: "every row went forward step by step, by its version", violations: versions },
            Check { claim: "the outboxes are empty, and so are the dead letters", violations: left_over(books) },
        ];
        let lost = undone.len() as u64;
        let first = Check { claim: "every order that was placed is done on both sides", violations: undone };
        Self { checks: std::iter::once(first).chain(checks).collect(), done, lost }
    }

    /// Whether every check held.
    pub(crate) fn is_clean(&self) -> bool {
        self.checks.iter().all(|check| check.violations.is_empty())
    }
}

fn left_over(books: &Books) -> Vec<String> {
    let some = |many: u64, text: &str| (many > 0).then(|| format!("{many} {text}"));
    let waiting = some(books.waiting, "deliveries still wait; wait longer with `--patience`");
    [waiting, some(books.dead, "deliveries are in the dead letters")].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{books::Row, orders::Order};

    fn order(order_no: &str) -> Order {
        Order { order_no: order_no.to_owned(), quantity: 5 }
    }

    /// Of two orders one is done, and one was rolled back.
    fn honest() -> (Books, Tally) {
        let done = Row { status: Status::Done, version: 3 };
        let books = Books {
            messages: [("A-1".to_owned(), done)].into(),
            parcels: vec![("A-1".to_owned(), 5)],
            repeats: 0,
            driven_again: 0,
            waiting: 0,
            dead: 0,
        };
        (books, Tally { placed: vec![order("A-1")], rolled_back: vec![order("A-2")], refused_twice: 0 })
    }

    #[track_caller]
    fn check((books, tally): &(Books, Tally), (done, lost): (u64, u64), broken: &[&str]) {
        let audit = Audit::of(books, tally);
        let found: Vec<_> = audit.checks.iter().filter(|check| !check.violations.is_empty()).map(|check| check.claim).collect();
        assert_eq!((audit.done, audit.lost, &found[..]), (done, lost, broken), "{:#?}", audit.checks);
    }

    const DONE: &str = "every order that was placed is done on both sides";

    #[test]
    fn honest_books_pass() {
        check(&honest(), (1, 0), &[]);
    }

    #[test]
    fn an_order_that_nobody_packed_is_lost() {
        let mut all = honest();
        all.0.parcels.clear();
        check(&all, (0, 1), &[DONE]);
    }

    #[test]
    fn an_order_that_the_shop_still_waits_for_is_lost() {
        let mut all = honest();
        all.0.messages.insert("A-1".to_owned(), Row { status: Status::Processing, version: 2 });
        check(&all, (0, 1), &[DONE]);
    }

    #[test]
    fn a_second_parcel_is_found() {
        let mut all = honest();
        all.0.parcels.push(("A-1".to_owned(), 5));
        check(&all, (1, 0), &["every order was packed once"]);
    }

    #[test]
    fn traces_of_an_order_that_was_rolled_back_are_found() {
        let mut all = honest();
        all.0.messages.insert("A-2".to_owned(), Row { status: Status::Pending, version: 1 });
        all.0.parcels.push(("A-2".to_owned(), 5));
        check(&all, (1, 0), &["nothing is left of an order that was rolled back", "nothing was packed that was not placed"]);
    }

    #[test]
    fn a_step_that_was_made_twice_is_found() {
        let mut all = honest();
        all.0.messages.insert("A-1".to_owned(), Row { status: Status::Done, version: 4 });
        check(&all, (1, 0), &["every row went forward step by step, by its version"]);
    }
}
