//! The program with few orders: what it prints and how it ends.

use std::process::{Command, Output};

fn run(options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_message-table")).args(options).output().expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// The numbers of the last line.
fn verdict(output: &Output) -> impl Fn(&str) -> u64 + use<> {
    let last = stdout(output).lines().last().unwrap_or_default().to_owned();
    move |name| {
        let value = last.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("the last line has no number `{name}`: {last}"))
    }
}

/// What the report counts before the line.
fn count(output: &Output, what: &str) -> u64 {
    let said = stdout(output);
    let line = said.lines().find_map(|line| line.trim().strip_suffix(what)).unwrap_or_else(|| panic!("`{what}` is not in {said}"));
    line.trim().parse().expect("a number")
}

#[test]
fn every_order_is_done_once_or_was_never_placed() {
    let output = run(&["--orders", "120", "--lost-events", "0.1", "--twice", "0.2", "--express-failures", "0.7", "--overdue", "300ms"]);
    assert!(output.status.success(), "{}{}", stdout(&output), String::from_utf8_lossy(&output.stderr));
    let verdict = verdict(&output);
    assert_eq!((verdict("orders"), verdict("lost")), (120, 0));
    assert_eq!(verdict("done") + verdict("rolled_back"), 120);
    assert!(verdict("rolled_back") > 0 && verdict("duplicates") > 0, "{}", stdout(&output));
    for happened in ["confirmed and lost", "because they were overdue", "and refused", "known to the inbox"] {
        let line = stdout(&output).lines().find(|line| line.ends_with(happened)).map(str::to_owned);
        assert!(line.is_some_and(|line| !line.trim_start().starts_with("0 ")), "{happened}: {}", stdout(&output));
    }
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn without_failures_nothing_comes_twice_and_nothing_is_driven_again() {
    let calm = ["--handler-failures", "0", "--broker-failures", "0", "--lost-acks", "0", "--lost-events", "0", "--express-failures", "0"];
    // No order is overdue before it is done, even on a busy machine.
    let output = run(&[&calm[..], &["--orders", "30", "--overdue", "5s"]].concat());
    assert!(output.status.success(), "{}{}", stdout(&output), String::from_utf8_lossy(&output.stderr));
    let verdict = verdict(&output);
    assert_eq!((verdict("done"), verdict("rolled_back"), verdict("duplicates"), verdict("lost")), (30, 0, 0, 0));
    assert_eq!(count(&output, "orders driven again, because they were overdue"), 0);
}

#[test]
fn what_the_broker_never_takes_is_rolled_back_and_what_it_always_loses_is_reported() {
    let options = ["--orders", "5", "--broker-failures", "0", "--handler-failures", "0"];
    let express = run(&[&options[..], &["--express", "1", "--express-failures", "1"]].concat());
    assert!(express.status.success(), "{}", stdout(&express));
    assert_eq!((verdict(&express)("rolled_back"), verdict(&express)("done")), (5, 0));

    // Each look drives it again, in vain: it is found out when patience ends, not by luck.
    let lost = run(&[&options[..], &["--express", "0", "--lost-events", "1", "--overdue", "60s", "--patience", "300ms"]].concat());
    assert_eq!(lost.status.code(), Some(1), "{}", stdout(&lost));
    assert_eq!((verdict(&lost)("lost"), verdict(&lost)("done")), (5, 0));
    assert!(stdout(&lost).contains("is processing in the shop, and has 0 parcels"), "{}", stdout(&lost));
}
