//! Invariant 14: a COMMIT whose outcome is unknown is an error of its own; nothing is delivered from memory, the table decides.

use events_sqlx::Backend;
use sqlx::Sqlite;
use std::path::Path;
use std::process::{Command, Output};

// Invariant 14.
#[test]
fn what_a_failed_commit_says_of_its_outcome() {
    let outcome = |error: &sqlx::Error| format!("{:?}", <Sqlite as Backend>::commit_failure(error));
    assert_eq!(outcome(&sqlx::Error::WorkerCrashed), "Unknown");
    assert_eq!(outcome(&sqlx::Error::Io(std::io::Error::other("the connection is gone"))), "Unknown");
}

/// Runs the helper with a limit on the size of files; beyond it a write fails with `EFBIG`, which SQLite calls an I/O error.
fn run(database: &Path, limit: &str, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = Command::new("sh")
        .args(["-c", &format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_commit_under_limit")])
        .arg(database)
        .args(arguments)
        .output()
        .unwrap();
    assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn fact<'a>(said: &'a str, name: &str) -> &'a str {
    said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no `{name}` in {said}"))
}

// Invariant 14.
#[test]
fn an_io_error_at_commit_is_unknown_and_the_table_decides() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("a.db");
    // 1,024 blocks of 512 bytes.
    let said = run(&database, "1024", &[]);
    assert_eq!(fact(&said, "unknown: "), "true", "{said}");
    assert_eq!(fact(&said, "error: "), "the outcome of COMMIT is unknown; read your data before you repeat the work");
    assert!(fact(&said, "source: ").contains("disk I/O error"), "{said}");
    assert_eq!(fact(&said, "told: "), "(2, Unknown)");
    assert_eq!(fact(&said, "in flight: "), "0", "nothing was handed over");
    assert_eq!(fact(&said, "delivered: "), "[1, 3]");
    // After a restart: event and row are both there, or neither is. SQLite rolled back, so here it is neither.
    let said = run(&database, "unlimited", &["restarted"]);
    assert_eq!((fact(&said, "business: "), fact(&said, "delivered: ")), ("[1, 3]", "[]"));
}
