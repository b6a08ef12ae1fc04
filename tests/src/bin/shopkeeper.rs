//! A process of the shop: sells and tells until it is killed, or its standard input ends.
//!
//! `shopkeeper <system> <url> <orders as JSON>`. Says `open`, every sale with its verdict, and what its relay counts, one fact per line.
#![allow(clippy::unwrap_used)]

use events_tests::shop::{MariadbSite, Orders, PostgresSite, Site, SqliteSite, Stall};
use std::io::Write;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing_subscriber::filter::LevelFilter::WARN).init();
    let arguments: Vec<String> = std::env::args().collect();
    let [_, system, url, orders] = &arguments[..] else { panic!("usage: shopkeeper <system> <url> <orders as JSON>") };
    let orders: Orders = serde_json::from_str(orders).unwrap();
    match &**system {
        SqliteSite::NAME => keep::<SqliteSite>(url, &orders).await,
        MariadbSite::NAME => keep::<MariadbSite>(url, &orders).await,
        PostgresSite::NAME => keep::<PostgresSite>(url, &orders).await,
        other => panic!("there is no system `{other}`"),
    }
}

async fn keep<S: Site>(url: &str, orders: &Orders) {
    let mut stall = Stall::<S>::open(url, url, orders, |sale| say(&sale.to_line())).await;
    say("open");
    let outbox = stall.outbox.clone();
    let counting = tokio::spawn(async move {
        let mut said = 0;
        loop {
            let lost = outbox.stats().lease_lost;
            if lost != said {
                say(&format!("lease_lost {lost}"));
                said = lost;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while lines.next_line().await.unwrap().is_some() {
        stall.stop_selling().await;
        say("quiet");
    }
    let closed = stall.close().await;
    counting.abort();
    for (name, count) in [("lease_lost", closed.stats.lease_lost), ("retried", closed.stats.retried), ("dead", closed.stats.dead)] {
        say(&format!("{name} {count}"));
    }
}

/// One write per line, so that a kill never leaves half of one between two others. A parent that is gone needs no answer.
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    if stdout.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(1);
    }
}
