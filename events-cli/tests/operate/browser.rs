//! The dashboard in a real browser.

use crate::shop::{Paper, process, spoil};
use events_cli::dashboard::{Access, Dashboard, router};
use events_sqlx::Retention;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::process::Command;

/// A machine with one core and a browser takes its time.
const LIMIT: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_opens_every_page_redrives_a_letter_and_sees_it_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let paper = Paper::default();
    let pool = events_sqlx::sqlite::connect(folder.path().join("shop.db")).await.unwrap();
    let outbox = process(pool, &paper).retention(Retention::Archive(Duration::from_secs(3_600))).start().await.unwrap();
    spoil(&outbox).await;
    paper.0.store(true, Ordering::Relaxed);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let site = router(Dashboard::new(Access::Trusted).database("shop", outbox.console()));
    let served = tokio::spawn(async move { axum::serve(listener, site).await });
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let pictures = std::env::var("DASHBOARD_PICTURES").map_or_else(|_| folder.path().join("pictures"), Into::into);
    std::fs::create_dir_all(&pictures).unwrap();
    let driven = Command::new("node").arg("dashboard.mjs").arg(&address).arg(&pictures).current_dir(&scripts).kill_on_drop(true).output();
    let driven = tokio::time::timeout(LIMIT, driven)
        .await
        .expect("the browser is done in time")
        .expect("Node.js is there: scripts/servers installs it");
    let said = format!("{}{}", String::from_utf8_lossy(&driven.stdout), String::from_utf8_lossy(&driven.stderr));
    assert!(driven.status.success(), "{said}");
    print!("{said}");
    assert!(pictures.join("overview-dark-390.png").exists());
    served.abort();
    outbox.shutdown().await;
}
