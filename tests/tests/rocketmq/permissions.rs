//! What a user may not do is told to whom it concerns, and secrets to nobody.

use super::event;
use events_core::{DeliveryErrorKind, Transport};
use events_mq::Topology;
use events_mq::rocketmq::{RocketMq, RocketMqBuilder};
use events_tests::servers::RocketMqServer;

const ACCOUNTS: &str = "accounts:
  - accessKey: adminaccess
    secretKey: adminsecret
    admin: true
  - accessKey: shopaccess
    secretKey: s3cretpass
    admin: false
    defaultTopicPerm: DENY
    defaultGroupPerm: SUB
    topicPerms:
      - EVENTS=PUB|SUB
      - AUDIT=SUB
";

fn user(server: &RocketMqServer, key: &str, secret: &str) -> RocketMqBuilder {
    RocketMq::builder(&format!("rocketmq://{key}:{secret}@127.0.0.1:{}", server.port()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_may_not_be_sent_to_is_terminal_and_named() {
    let server = RocketMqServer::start_with(ACCOUNTS);
    for topic in ["EVENTS", "AUDIT"] {
        user(&server, "adminaccess", "adminsecret").topic(topic).connect().await.unwrap();
    }
    let shop = || user(&server, "shopaccess", "s3cretpass").topology(Topology::Check);
    shop().connect().await.unwrap().send(&[event("a")]).await.remove(0).unwrap();
    let audit = shop().topic("AUDIT").connect().await.unwrap();
    let error = audit.send(&[event("a")]).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Terminal, "{error}");
    assert!(error.report().contains("does not let this user send to topic `AUDIT`"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_make_topics_is_told_so() {
    let server = RocketMqServer::start_with(ACCOUNTS);
    let said = user(&server, "shopaccess", "s3cretpass").connect().await.unwrap_err().to_string();
    assert!(said.contains("make topic `EVENTS`") && said.contains("Topology::Check"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_printed_holds_a_secret() {
    let server = RocketMqServer::start_with(ACCOUNTS);
    let rocketmq = user(&server, "adminaccess", "adminsecret").connect().await.unwrap();
    let subscription = rocketmq.subscribe("reader").topics(["order.payok"]).open().await.unwrap();
    let printed = format!("{rocketmq:?} {subscription:?}");
    assert!(printed.contains("127.0.0.1") && printed.contains("order.payok") && !printed.contains("adminsecret"), "{printed}");
    let rocketmq = user(&server, "adminaccess", "wr0ngsecret").connect_in_background().await.unwrap();
    let error = rocketmq.send(&[event("a")]).await.remove(0).unwrap_err();
    // Somebody will correct it; the events wait.
    assert_eq!(error.kind(), DeliveryErrorKind::Unavailable, "{error}");
    let said = error.report();
    assert!(said.contains("refuses the credentials") && !said.contains("wr0ngsecret"), "{said}");
}
