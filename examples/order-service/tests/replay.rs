//! The replay with few orders: what it prints and how it ends.

use std::path::Path;
use std::process::{Command, Output};

fn replay(database: &Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_order-service")).arg("--database").arg(database).args(options).output().expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn last_line(output: &Output) -> String {
    stdout(output).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn everything_is_delivered_and_a_second_run_goes_on_where_the_first_ended() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = folder.path().join("orders.db");
    let first = replay(&database, &["--orders", "10", "--decline", "0.5", "--broker-failures", "0.3"]);
    assert!(first.status.success(), "{}", stdout(&first));
    assert_eq!(last_line(&first), "orders=10 events=40 delivered=40 duplicates=0 lost=0 dead=0");
    assert!(first.stderr.is_empty(), "{}", String::from_utf8_lossy(&first.stderr));

    let second = replay(&database, &["--orders", "15"]);
    assert!(second.status.success(), "{}", stdout(&second));
    assert_eq!(last_line(&second), "orders=15 events=60 delivered=60 duplicates=0 lost=0 dead=0");
    let committed =
        stdout(&second).lines().find(|line| line.contains("committed  ")).map(|line| line.split_whitespace().last().map(str::to_owned));
    assert_eq!(committed.flatten().as_deref(), Some("15"), "only the five new orders were placed, paid and shipped");
}

#[test]
fn a_lost_acknowledgement_is_a_duplicate_that_ticketing_recognises() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = replay(&folder.path().join("orders.db"), &["--orders", "10", "--broker-failures", "0", "--lost-acks", "0.5"]);
    assert!(output.status.success(), "{}", stdout(&output));
    assert!(!last_line(&output).contains("duplicates=0"), "{}", stdout(&output));
}

#[test]
fn a_broker_that_never_answers_is_reported_and_caught_up_with_later() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = folder.path().join("orders.db");
    let output = replay(&database, &["--orders", "3", "--broker-failures", "1", "--deadline", "200ms"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(last_line(&output), "orders=3 events=12 delivered=6 duplicates=0 lost=6 dead=0");
    assert!(stdout(&output).contains("order.payok of order 10248 has not reached ticketing"), "{}", stdout(&output));

    let output = replay(&database, &["--orders", "3", "--broker-failures", "0"]);
    assert!(output.status.success(), "{}", stdout(&output));
    assert_eq!(last_line(&output), "orders=3 events=12 delivered=12 duplicates=0 lost=0 dead=0");
}
