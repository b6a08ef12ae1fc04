//! A shop whose outbox has had a bad day: some deliveries wait, some were given up, one key is blocked. Its texts are hostile.

use events_core::test_kit::wait_until;
use events_core::{DeliveryError, DomainEvent, State, after_commit};
use events_sqlx::{Backend, Outbox, UnitOfWork};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

/// What nobody may see.
pub(crate) const CARD: &str = "4111111111111111";
/// What a stored script would do.
pub(crate) const SCRIPT: &str = "<script>alert(1)</script>";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) note: String,
    pub(crate) fails: bool,
    pub(crate) card: String,
}

/// Declared by hand: the macro would not take such a topic.
impl DomainEvent for Order {
    const TOPIC: &'static str = "order.<script>alert(1)</script>";
    const LOCAL: bool = true;
    const SENSITIVE: &'static [&'static str] = &["card"];

    fn key(&self) -> Option<String> {
        Some(format!("{SCRIPT}{}", self.id % 10))
    }
}

/// Whether the printer has paper.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paper(pub(crate) Arc<AtomicBool>);

#[after_commit(manual, dead_letters = "block_key")]
pub(crate) async fn print_ticket(event: Order, State(paper): State<Paper>) -> Result<(), DeliveryError> {
    if event.fails && !paper.0.load(Ordering::Relaxed) {
        return Err(DeliveryError::terminal(format!("out of paper {SCRIPT} ' OR 1=1; --")));
    }
    Ok(())
}

/// A builder of a process that delivers.
pub(crate) fn process<DB: Backend>(pool: sqlx::Pool<DB>, paper: &Paper) -> events_sqlx::OutboxBuilder<DB> {
    Outbox::builder(pool).without_linked_handlers().event::<Order>().state(paper.clone()).handler::<print_ticket>()
}

/// The shop's database file: ten dead letters, each of which blocks a key, and twenty deliveries that wait behind them.
pub(crate) struct Shop(pub(crate) TempDir);

impl Shop {
    pub(crate) async fn after_a_bad_day() -> Self {
        let shop = Self(tempfile::tempdir().unwrap());
        let outbox = process(events_sqlx::sqlite::connect(shop.path()).await.unwrap(), &Paper::default()).start().await.unwrap();
        spoil(&outbox).await;
        outbox.shutdown().await;
        shop
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.0.path().join("shop.db")
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }

    /// Runs the command on this database.
    pub(crate) fn outbox(&self, arguments: &[&str]) -> Ran {
        run(&[&["--database-url", &self.url()], arguments].concat())
    }
}

/// Publishes thirty orders of ten keys; the first of each key fails.
pub(crate) async fn spoil<DB: Backend>(outbox: &Outbox<DB>) {
    let publish = async |_: &mut UnitOfWork<DB>| {
        (0..30).try_for_each(|id| events_core::publish(Order { id, note: SCRIPT.into(), fails: id < 10, card: CARD.into() }).map(drop))
    };
    outbox.run(publish).await.unwrap();
    wait_until("ten letters are dead", async || outbox.dead_count().await.unwrap() == 10 && outbox.in_flight() == 0).await;
}

/// What a command printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

/// The command's own program.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outbox"));
    for variable in
        ["DATABASE_URL", "OUTBOX_CONFIG", "OUTBOX_TOKEN", "OUTBOX_BASIC_AUTH", "OUTBOX_BROKER", "OUTBOX_SCHEMA", "OUTBOX_ACTOR", "RUST_LOG"]
    {
        command.env_remove(variable);
    }
    command
}

pub(crate) fn run(arguments: &[&str]) -> Ran {
    ran(program().args(arguments))
}

/// The same command in a program that has linked events of its own.
pub(crate) fn own(arguments: &[&str]) -> Ran {
    let programs = Path::new(env!("CARGO_BIN_EXE_outbox")).parent().unwrap();
    ran(Command::new(programs.join("examples/own-outbox")).args(arguments))
}

fn ran(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { out: text(stdout), err: text(stderr), code: status.code().unwrap_or(-1) }
}

/// A file in a folder.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}
