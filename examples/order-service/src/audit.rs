//! Compares what was committed with what arrived. Pure: knows no database and no outbox.

use crate::books::{Arrival, Books, Fact, TARGETS, TICKETING, TOPICS};
use std::collections::{HashMap, HashSet};

/// Something that must be true, and where it is not.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) claim: &'static str,
    pub(crate) violations: Vec<String>,
}

/// Why an event may have arrived twice.
#[derive(Debug, Default)]
pub(crate) struct Excuses {
    /// The database is from an earlier run, which may have been killed in the middle of a delivery.
    pub(crate) earlier_run: bool,
    pub(crate) lost_leases: u64,
    pub(crate) lost_acks: u64,
    /// A broker outside was away for a while: it may have stored what it did not confirm, and forgotten what was acknowledged.
    pub(crate) outage: bool,
}

/// The books, indexed.
pub(crate) struct Audit<'a> {
    books: &'a Books,
    facts: HashMap<(&'a str, i64), &'a Fact>,
    arrived: HashSet<(&'a str, &'a str, i64)>,
}

impl<'a> Audit<'a> {
    pub(crate) fn of(books: &'a Books) -> Self {
        let facts = books.facts.iter().map(|fact| ((&*fact.topic, fact.order_id), fact)).collect();
        let arrived = books.arrivals.iter().map(|arrival| (&*arrival.target, &*arrival.topic, arrival.order_id)).collect();
        Self { books, facts, arrived }
    }

    /// All checks of the events themselves. `declined` are payments that were rolled back.
    pub(crate) fn checks(&self, declined: &HashSet<String>, excuses: &Excuses) -> Vec<Check> {
        vec![
            Check { claim: "every committed event reached all of its targets", violations: self.lost() },
            Check { claim: "nothing arrived that was not committed", violations: self.invented() },
            Check { claim: "no event of a declined payment arrived anywhere", violations: self.rolled_back(declined) },
            Check { claim: "the events of an order reached the ticketing service in their order", violations: self.out_of_order() },
            Check { claim: "handlers with a unit of work of their own took effect exactly once", violations: self.repeated() },
            Check { claim: "nothing arrived twice without a reason", violations: self.unexplained(excuses) },
        ]
    }

    /// How many events of `topic` were committed, and how many of them reached all of their targets.
    pub(crate) fn delivered(&self, topic: &str) -> (u64, u64) {
        let committed = self.books.facts.iter().filter(|fact| fact.topic == topic);
        committed.fold((0, 0), |(all, delivered), fact| (all + 1, delivered + u64::from(self.missed_by(fact).next().is_none())))
    }

    /// How many events arrived at `target`, and how many deliveries there were beyond the first of each.
    pub(crate) fn received(&self, target: &str) -> (u64, u64) {
        let arrivals = self.books.arrivals.iter().filter(|arrival| arrival.target == target);
        arrivals.fold((0, 0), |(all, duplicates), arrival| (all + 1, duplicates + arrival.duplicates()))
    }

    fn missed_by(&self, fact: &Fact) -> impl Iterator<Item = &'static str> {
        let expecting = TARGETS.iter().filter(|target| target.topics.contains(&&*fact.topic));
        expecting.map(|target| target.name).filter(|target| !self.arrived.contains(&(*target, &*fact.topic, fact.order_id)))
    }

    fn lost(&self) -> Vec<String> {
        let missed = |fact: &'a Fact| {
            self.missed_by(fact).map(move |target| format!("{} of order {} has not reached {target}", fact.topic, fact.order_id))
        };
        self.books.facts.iter().flat_map(missed).collect()
    }

    /// An arrival is genuine if its fact was committed, with that payment, and if no other event claims the same fact.
    fn invented(&self) -> Vec<String> {
        let mut ids: HashMap<(&str, i64), &str> = HashMap::new();
        let mut violations = Vec::new();
        for Arrival { target, topic, order_id, payment, event_id, .. } in &self.books.arrivals {
            let what = format!("{topic} of order {order_id}, which {target} received as {event_id},");
            match self.facts.get(&(&**topic, *order_id)) {
                None => violations.push(format!("{what} was never committed")),
                Some(fact) if fact.payment != *payment => {
                    violations.push(format!("{what} is about payment {payment:?}, but {:?} was committed", fact.payment));
                }
                Some(_) => {
                    let known = ids.entry((topic, *order_id)).or_insert(event_id);
                    if known != event_id {
                        violations.push(format!("{what} has another event id elsewhere: {known}"));
                    }
                }
            }
        }
        violations
    }

    fn rolled_back(&self, declined: &HashSet<String>) -> Vec<String> {
        let arrived = self.books.arrivals.iter().filter_map(|arrival| arrival.payment.as_ref().map(|payment| (payment, arrival)));
        arrived
            .filter(|(payment, _)| declined.contains(*payment))
            .map(|(payment, arrival)| {
                format!("{} heard of payment {payment} of order {}, which was declined", arrival.target, arrival.order_id)
            })
            .collect()
    }

    fn out_of_order(&self) -> Vec<String> {
        let rank = |topic: &str| TOPICS.iter().position(|known| *known == topic);
        let mut latest: HashMap<i64, &str> = HashMap::new();
        let mut violations = Vec::new();
        for arrival in self.books.arrivals.iter().filter(|arrival| arrival.target == TICKETING) {
            match latest.insert(arrival.order_id, &arrival.topic) {
                Some(before) if rank(before) > rank(&arrival.topic) => {
                    violations.push(format!("{} of order {} arrived after {before}", arrival.topic, arrival.order_id));
                }
                _ => {}
            }
        }
        violations
    }

    fn repeated(&self) -> Vec<String> {
        let once = TARGETS.iter().filter(|target| target.exactly_once);
        once.filter_map(|target| match self.received(target.name) {
            (_, 0) => None,
            (_, duplicates) => Some(format!("{} received {duplicates} deliveries twice", target.name)),
        })
        .collect()
    }

    fn unexplained(&self, excuses: &Excuses) -> Vec<String> {
        if excuses.earlier_run || excuses.lost_leases > 0 {
            return Vec::new();
        }
        TARGETS
            .iter()
            .filter_map(|target| {
                let excused = match target.name {
                    TICKETING if excuses.outage => u64::MAX,
                    TICKETING => excuses.lost_acks,
                    _ => 0,
                };
                let (_, duplicates) = self.received(target.name);
                (duplicates > excused)
                    .then(|| format!("{} received {duplicates} duplicates, of which {excused} can be explained", target.name))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(target: &str, topic: &str, order_id: i64, payment: Option<&str>) -> Arrival {
        let event_id = format!("{topic}-{order_id}");
        let (target, topic, payment) = (target.into(), topic.into(), payment.map(str::to_owned));
        Arrival { target, topic, order_id, payment, event_id, deliveries: 1, occurred_at: 0, received_at: 1 }
    }

    /// Order 1 was paid and shipped, and everybody knows.
    fn honest_books() -> Books {
        let fact = |topic: &str, payment: Option<&str>| Fact { topic: topic.into(), order_id: 1, payment: payment.map(str::to_owned) };
        let payment = Some("pay_a");
        Books {
            facts: vec![fact("order.payok", payment), fact("order.shipped", None)],
            arrivals: vec![
                arrival("issue_ticket", "order.payok", 1, payment),
                arrival("send_receipt", "order.payok", 1, payment),
                arrival("timeline", "order.payok", 1, payment),
                arrival("timeline", "order.shipped", 1, None),
                arrival("ticketing", "order.payok", 1, payment),
                arrival("ticketing", "order.shipped", 1, None),
            ],
        }
    }

    /// The claims that do not hold.
    fn broken(books: &Books, declined: &[&str], excuses: &Excuses) -> Vec<&'static str> {
        let declined = declined.iter().map(|payment| (*payment).to_owned()).collect();
        let checks = Audit::of(books).checks(&declined, excuses);
        checks.into_iter().filter(|check| !check.violations.is_empty()).map(|check| check.claim).collect()
    }

    #[test]
    fn honest_books_pass() {
        let books = honest_books();
        assert!(broken(&books, &["pay_z"], &Excuses::default()).is_empty());
        assert_eq!(Audit::of(&books).delivered("order.payok"), (1, 1));
        assert_eq!(Audit::of(&books).received("timeline"), (2, 0));
    }

    #[test]
    fn a_lost_event_is_found() {
        let mut books = honest_books();
        books.arrivals.remove(1);
        assert_eq!(Audit::of(&books).lost(), ["order.payok of order 1 has not reached send_receipt"]);
        assert_eq!(Audit::of(&books).delivered("order.payok"), (1, 0));
    }

    #[test]
    fn an_invented_event_is_found() {
        let mut books = honest_books();
        books.arrivals.push(arrival("timeline", "order.cancelled", 1, None));
        assert_eq!(broken(&books, &[], &Excuses::default()), ["nothing arrived that was not committed"]);
    }

    #[test]
    fn a_second_event_for_one_fact_is_found() {
        let mut books = honest_books();
        books.arrivals[3].event_id = "another".into();
        assert_eq!(broken(&books, &[], &Excuses::default()), ["nothing arrived that was not committed"]);
    }

    #[test]
    fn an_event_of_a_declined_payment_is_found() {
        let mut books = honest_books();
        books.arrivals[0].payment = Some("pay_declined".into());
        let claims = ["nothing arrived that was not committed", "no event of a declined payment arrived anywhere"];
        assert_eq!(broken(&books, &["pay_declined"], &Excuses::default()), claims);
    }

    #[test]
    fn the_wrong_order_is_found() {
        let mut books = honest_books();
        books.arrivals.swap(4, 5);
        assert_eq!(broken(&books, &[], &Excuses::default()), ["the events of an order reached the ticketing service in their order"]);
    }

    #[test]
    fn a_duplicate_needs_a_reason_and_exactly_once_allows_none() {
        let mut books = honest_books();
        books.arrivals[1].deliveries = 2;
        assert_eq!(broken(&books, &[], &Excuses::default()), ["nothing arrived twice without a reason"]);
        let killed = Excuses { earlier_run: true, ..Excuses::default() };
        assert!(broken(&books, &[], &killed).is_empty());
        let outage = Excuses { outage: true, ..Excuses::default() };
        assert_eq!(broken(&books, &[], &outage), ["nothing arrived twice without a reason"], "a receipt does not come from the broker");
        books.arrivals[1].deliveries = 1;
        books.arrivals[5].deliveries = 2;
        assert!(broken(&books, &[], &outage).is_empty());
        assert_eq!(broken(&books, &[], &Excuses::default()), ["nothing arrived twice without a reason"]);
        books.arrivals[0].deliveries = 2;
        assert_eq!(broken(&books, &[], &killed), ["handlers with a unit of work of their own took effect exactly once"]);
    }
}
