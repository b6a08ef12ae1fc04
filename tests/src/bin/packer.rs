//! A packer of parcels: receives, packs and ships until it is killed, or its standard input ends.
//!
//! `packer <broker> <its URL> <database system> <its URL>`. What it says is in [`events_tests::parcels::work`].

use events_tests::parcels::{Depot, work};
use events_tests::{BrokerHarness, OnKafka, OnMySql, OnNats, OnPostgres, OnRabbitMq, OnRedis, OnRocketMq};

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing_subscriber::filter::LevelFilter::WARN).init();
    let arguments: Vec<String> = std::env::args().collect();
    let [_, broker, at, system, url] = &arguments[..] else { panic!("usage: packer <broker> <its URL> <database system> <its URL>") };
    match &**broker {
        OnKafka::NAME => choose::<OnKafka>(at, system, url).await,
        OnNats::NAME => choose::<OnNats>(at, system, url).await,
        OnRabbitMq::NAME => choose::<OnRabbitMq>(at, system, url).await,
        OnRedis::NAME => choose::<OnRedis>(at, system, url).await,
        OnRocketMq::NAME => choose::<OnRocketMq>(at, system, url).await,
        other => panic!("there is no broker `{other}`"),
    }
}

async fn choose<B: BrokerHarness>(broker: &str, system: &str, url: &str) {
    match system {
        OnMySql::NAME => work::<B, OnMySql>(broker, url).await,
        OnPostgres::NAME => work::<B, OnPostgres>(broker, url).await,
        other => panic!("there is no system `{other}`"),
    }
}
