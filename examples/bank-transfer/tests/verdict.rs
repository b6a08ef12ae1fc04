//! Both banks in one process with few transfers: what the program prints and how it ends.

use std::process::{Command, Output};

fn run(options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bank-transfer")).args(options).output().expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// The numbers of the last line.
#[track_caller]
fn verdict(output: &Output) -> impl Fn(&str) -> i64 + use<> {
    let said = stdout(output);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let last = said.lines().last().unwrap_or_default().to_owned();
    move |name| {
        let value = last.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("the last line has no number `{name}`: {last}"))
    }
}

#[test]
fn money_moves_comes_back_or_stays_and_none_is_lost() {
    let output = run(&["--transfers", "300", "--unknown", "0.2", "--handler-failures", "0.1", "--lost-acks", "0.1"]);
    let verdict = verdict(&output);
    assert_eq!((verdict("transfers"), verdict("lost")), (300, 0));
    assert_eq!((verdict("total_before"), verdict("total_after")), (200_000_000, 200_000_000));
    assert_eq!(verdict("completed") + verdict("rejected") + verdict("refused"), 300);
    for outcome in ["completed", "rejected", "refused", "duplicates"] {
        assert!(verdict(outcome) > 0, "{outcome}: {}", stdout(&output));
    }
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_same_seed_has_the_same_end_and_a_second_run_goes_on_where_the_first_ended() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = format!("sqlite:{}", folder.path().join("banks").display());
    let calm = ["--handler-failures", "0", "--broker-failures", "0", "--lost-acks", "0", "--database", &database];
    let first = verdict(&run(&[&calm[..], &["--transfers", "40"]].concat()));
    let second = run(&[&calm[..], &["--transfers", "60"]].concat());
    assert!(stdout(&second).contains("transfers  20 requested"), "{}", stdout(&second));
    let second = verdict(&second);
    assert_eq!((first("transfers"), second("transfers"), second("lost"), second("duplicates")), (40, 60, 0, 0));
    let at_once = verdict(&run(&["--transfers", "60"]));
    for outcome in ["completed", "rejected", "refused", "total_after"] {
        assert_eq!(second(outcome), at_once(outcome), "{outcome}");
    }
}

#[test]
fn a_broker_that_is_always_away_is_reported_and_caught_up_with_later() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = format!("sqlite:{}", folder.path().display());
    let options = ["--transfers", "5", "--unknown", "0", "--database", &database];
    let output = run(&[&options[..], &["--broker-failures", "1", "--patience", "300ms"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(stdout(&output).contains("waits for its answer"), "{}", stdout(&output));

    let verdict = verdict(&run(&options));
    assert_eq!((verdict("transfers"), verdict("lost"), verdict("total_after")), (5, 0, 200_000_000));
}

#[test]
fn one_bank_alone_is_told_what_it_needs() {
    let said = |options: &[&str]| {
        let output = run(options);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(said(&["bank1", "--database", "sqlite"]).contains("name the broker of both"), "{}", said(&["bank1"]));
    assert!(said(&["bank2", "--broker", "nats://127.0.0.1:1"]).contains("`--database sqlite:FOLDER`"));
}
