//! Compares what the transfers say with what the accounts show. Pure: knows no database and no outbox.

use crate::{
    books::{Books, Entry, Ledger},
    transfer::{State, Transfer},
};
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
    /// All the money of both banks in the beginning, and now.
    pub(crate) total_before: i64,
    pub(crate) total_after: i64,
    /// Transfers that have not ended, or of which a movement is missing.
    pub(crate) lost: u64,
}

impl Audit {
    pub(crate) fn of(books: &Books) -> Self {
        let ((before1, after1), (before2, after2)) = (books.bank1.totals(), books.bank2.totals());
        let (total_before, total_after) = (before1 + before2, after1 + after2);
        let (mut at_bank1, mut at_bank2) = (by_transfer(&books.bank1), by_transfer(&books.bank2));
        let (mut unended, mut wrong, mut lost) = (Vec::new(), Vec::new(), 0);
        for (transfer, state) in &books.transfers {
            let (booked1, booked2) = (taken(&mut at_bank1, transfer), taken(&mut at_bank2, transfer));
            if *state == State::Requested {
                unended.push(format!("transfer {} waits for its answer", transfer.transfer_id));
                lost += 1;
                continue;
            }
            let (should1, should2) = movements(transfer, *state);
            let sides = [("bank1", booked1, should1), ("bank2", booked2, should2)];
            lost += u64::from(sides.iter().any(|(_, booked, should)| should.iter().any(|entry| !booked.contains(entry))));
            wrong.extend(sides.iter().filter(|(_, booked, should)| booked != should).map(|(bank, booked, should)| {
                let (id, state) = (transfer.transfer_id, state.as_str());
                format!("transfer {id} is {state}, so {bank} should have booked {}, but booked {}", list(should), list(booked))
            }));
        }
        let strays = [("bank1", at_bank1), ("bank2", at_bank2)].into_iter();
        let strays = strays.flat_map(|(bank, entries)| {
            entries
                .into_iter()
                .map(move |(id, entries)| format!("{bank} has booked {} for transfer {id}, which nobody made", list(&entries)))
        });
        let checks = vec![
            Check { claim: "no money was made, and none was lost", violations: difference(total_before, total_after) },
            Check { claim: "every transfer has ended", violations: unended },
            Check { claim: "every transfer moved what its state says, once", violations: wrong },
            Check { claim: "nothing was moved without a transfer", violations: strays.collect() },
            Check { claim: "every account holds its opening balance and its movements", violations: unbalanced(books) },
            Check { claim: "the outboxes are empty, and so are the dead letters", violations: left_over(books) },
        ];
        Self { checks, total_before, total_after, lost }
    }

    /// Whether every check held.
    pub(crate) fn is_clean(&self) -> bool {
        self.checks.iter().all(|check| check.violations.is_empty())
    }
}

/// What a transfer that has ended must have moved at bank1 and at bank2, sorted.
fn movements(transfer: &Transfer, state: State) -> (Vec<Entry>, Vec<Entry>) {
    let Transfer { transfer_id, from_account, to_account, amount_cents } = *transfer;
    let taken = Entry { transfer_id, account: from_account, amount_cents: -amount_cents };
    let back = Entry { amount_cents, ..taken };
    let credited = Entry { account: to_account, ..back };
    match state {
        State::Requested => (vec![taken], vec![]),
        State::Completed => (vec![taken], vec![credited]),
        State::Rejected => (vec![taken, back], vec![]),
        State::Refused => (vec![], vec![]),
    }
}

fn by_transfer(ledger: &Ledger) -> HashMap<i64, Vec<Entry>> {
    let mut entries: HashMap<i64, Vec<Entry>> = HashMap::new();
    for entry in &ledger.entries {
        entries.entry(entry.transfer_id).or_default().push(*entry);
    }
    entries
}

fn taken(entries: &mut HashMap<i64, Vec<Entry>>, transfer: &Transfer) -> Vec<Entry> {
    let mut entries = entries.remove(&transfer.transfer_id).unwrap_or_default();
    entries.sort_unstable();
    entries
}

fn list(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "nothing".to_owned();
    }
    entries.iter().map(|entry| format!("{:+} on {}", entry.amount_cents, entry.account)).collect::<Vec<_>>().join(" and ")
}

fn difference(before: i64, after: i64) -> Vec<String> {
    if before == after { vec![] } else { vec![format!("there were {before} cents, and now there are {after}")] }
}

fn unbalanced(books: &Books) -> Vec<String> {
    let mut violations = Vec::new();
    for (bank, ledger) in [("bank1", &books.bank1), ("bank2", &books.bank2)] {
        let mut moved: HashMap<i64, i64> = HashMap::new();
        for entry in &ledger.entries {
            *moved.entry(entry.account).or_default() += entry.amount_cents;
        }
        for account in &ledger.accounts {
            let should = account.opening_cents + moved.get(&account.account).copied().unwrap_or_default();
            if account.balance_cents != should || account.balance_cents < 0 {
                violations.push(format!("account {} of {bank} holds {} instead of {should}", account.account, account.balance_cents));
            }
        }
    }
    violations
}

fn left_over(books: &Books) -> Vec<String> {
    let some = |many: u64, text: &str| (many > 0).then(|| format!("{many} {text}"));
    let waiting = some(books.waiting, "deliveries still wait; run again with the same `--database`, or wait longer with `--patience`");
    [waiting, some(books.dead, "deliveries are in the dead letters")].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::Account;

    fn entry(transfer_id: i64, account: i64, amount_cents: i64) -> Entry {
        Entry { transfer_id, account, amount_cents }
    }

    fn account(account: i64, opening_cents: i64, balance_cents: i64) -> Account {
        Account { account, opening_cents, balance_cents }
    }

    /// Of 100 cents 30 went to the other bank, 20 went and came back, 500 never went.
    fn honest_books() -> Books {
        let transfer = |transfer_id, amount_cents| Transfer { transfer_id, from_account: 1, to_account: 2, amount_cents };
        Books {
            transfers: vec![(transfer(7, 30), State::Completed), (transfer(8, 20), State::Rejected), (transfer(9, 500), State::Refused)],
            bank1: Ledger { accounts: vec![account(1, 100, 70)], entries: vec![entry(8, 1, 20), entry(7, 1, -30), entry(8, 1, -20)] },
            bank2: Ledger { accounts: vec![account(2, 0, 30)], entries: vec![entry(7, 2, 30)] },
            waiting: 0,
            dead: 0,
        }
    }

    #[track_caller]
    fn check(books: &Books, lost: u64, broken: &[&str]) {
        let audit = Audit::of(books);
        let found: Vec<_> = audit.checks.iter().filter(|check| !check.violations.is_empty()).map(|check| check.claim).collect();
        assert_eq!((audit.lost, &found[..]), (lost, broken), "{:#?}", audit.checks);
    }

    const ONCE: &str = "every transfer moved what its state says, once";
    const MONEY: &str = "no money was made, and none was lost";

    #[test]
    fn honest_books_pass() {
        check(&honest_books(), 0, &[]);
        assert_eq!(Audit::of(&honest_books()).total_after, 100);
    }

    #[test]
    fn a_credit_that_is_missing_is_lost() {
        let mut books = honest_books();
        books.bank2 = Ledger { accounts: vec![account(2, 0, 0)], entries: vec![] };
        check(&books, 1, &[MONEY, ONCE]);
    }

    #[test]
    fn a_credit_that_was_booked_twice_is_found() {
        let mut books = honest_books();
        books.bank2 = Ledger { accounts: vec![account(2, 0, 60)], entries: vec![entry(7, 2, 30), entry(7, 2, 30)] };
        check(&books, 0, &[MONEY, ONCE]);
    }

    #[test]
    fn a_transfer_without_an_answer_is_lost() {
        let mut books = honest_books();
        books.transfers[0].1 = State::Requested;
        check(&books, 1, &["every transfer has ended"]);
    }

    #[test]
    fn a_movement_without_a_transfer_is_found() {
        let mut books = honest_books();
        books.transfers.remove(0);
        check(&books, 0, &["nothing was moved without a transfer"]);
    }

    #[test]
    fn a_balance_that_nothing_explains_is_found() {
        let mut books = honest_books();
        (books.bank1.accounts[0].balance_cents, books.bank2.accounts[0].balance_cents) = (60, 40);
        check(&books, 0, &["every account holds its opening balance and its movements"]);
    }
}
