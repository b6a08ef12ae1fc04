//! What every store must do. The names of the cases are sentences; the numbers are those of the invariants in INVARIANTS.md.

#![allow(missing_docs)]

pub mod commits;
pub mod hand_over;
pub mod leases;
pub mod times;
pub mod order;
pub mod key_heads;
pub mod isolation;
pub mod bad_rows;
pub mod outages;
pub mod retries;
pub mod savepoints;
pub mod outside;
pub mod at_most_once;
pub mod transactional;
pub mod two_phase;
pub mod inbox;
pub mod status;
pub mod upcasts;
pub mod settings;
pub mod endings;
pub mod leads;
pub mod console;
pub mod publish_only;
pub mod sensitive;
pub mod encryption;

use std::{future::Future, time::Duration};

/// Runs a case for at most two minutes: a case that hangs has failed. What the libraries warn of is shown with a failure.
pub async fn bounded(case: impl Future<Output = ()>) {
    let log = tracing_subscriber::fmt().with_test_writer().with_max_level(tracing_subscriber::filter::LevelFilter::WARN);
    // Cases of one process share it.
    let _ = log.try_init();
    tokio::time::timeout(Duration::from_secs(120), case).await.expect("the case ends within two minutes");
}
