//! What a user may not do is told to whom it concerns, and to nobody else.

use super::event;
use events_core::{DeliveryErrorKind, Transport};
use events_mq::Topology;
use events_mq::rabbitmq::{RabbitMq, RabbitMqBuilder};
use events_tests::servers::RabbitMqServer;

/// `admin` may do everything; `shop` may publish below `order.` only; `reader` may publish nothing. All have the password `s3cret`.
fn server() -> RabbitMqServer {
    let user = |name| {
        format!(
            r#"{{"name":"{name}","password_hash":"c2FsdC0DvDCjx7iBlNioz2E+K3sM5dB/XgODZUVoSooh6uR6","hashing_algorithm":"rabbit_password_hashing_sha256","tags":"","limits":{{}}}}"#
        )
    };
    let may = |name, write| format!(r#"{{"user":"{name}","vhost":"/","configure":".*","write":"{write}","read":".*"}}"#);
    RabbitMqServer::start_with_definitions(&format!(
        r#"{{
            "users": [{}, {}, {}],
            "vhosts": [{{"name":"/"}}],
            "permissions": [{}, {}, {}],
            "topic_permissions": [{{"user":"shop","vhost":"/","exchange":"events","write":"^order\\..*","read":".*"}}]
        }}"#,
        user("admin"),
        user("shop"),
        user("reader"),
        may("admin", ".*"),
        may("shop", ".*"),
        may("reader", "^$"),
    ))
}

fn of(server: &RabbitMqServer, user: &str) -> RabbitMqBuilder {
    RabbitMq::builder(&format!("amqp://{user}:s3cret@127.0.0.1:{}", server.port()))
}

#[tokio::test]
async fn a_topic_that_may_not_be_published_to_is_terminal_and_the_rest_is_sent() {
    let server = server();
    let _admin = of(&server, "admin").queue("reader", "#").connect().await.unwrap();
    let shop = of(&server, "shop").topology(Topology::Check).connect().await.unwrap();
    let topics = ["order.payok", "user.joined", "order.paid", "user.left", "order.sent"];
    let results = shop.send(&topics.map(event)).await;
    for (topic, result) in topics.iter().zip(&results) {
        if topic.starts_with("order.") {
            assert!(result.is_ok(), "{topic}: {result:?}");
            continue;
        }
        let error = result.as_ref().unwrap_err();
        assert_eq!(error.kind(), DeliveryErrorKind::Terminal, "{topic}: {error}");
        let said = error.report();
        assert!(
            said.contains(&format!("topic `{topic}`")) && said.contains("does not let this user publish") && said.contains("grant"),
            "{said}"
        );
    }
    // The channel that was closed is replaced.
    shop.send(&[event("order.payok")]).await.remove(0).unwrap();
}

#[tokio::test]
async fn who_may_publish_nothing_is_told_which_permission_is_missing() {
    let server = server();
    let _admin = of(&server, "admin").queue("reader", "#").connect().await.unwrap();
    let reader = of(&server, "reader").connect().await.unwrap();
    for result in reader.send(&[event("a"), event("b")]).await {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), DeliveryErrorKind::Terminal, "{error}");
        let said = error.report();
        assert!(said.contains("exchange 'events'") && said.contains("set_permissions"), "{said}");
    }
}

#[tokio::test]
async fn who_is_not_let_into_a_virtual_host_is_told_so() {
    let server = server();
    let said = RabbitMq::connect(&format!("amqp://shop:s3cret@127.0.0.1:{}/nowhere", server.port())).await.unwrap_err().to_string();
    assert!(said.contains("nowhere") && said.contains("virtual host") && !said.contains("s3cret"), "{said}");
}

#[tokio::test]
async fn nothing_that_is_printed_holds_a_password() {
    let server = server();
    let rabbit = of(&server, "admin").connect().await.unwrap();
    let subscription = rabbit.subscribe("reader").topics("order.*").open().await.unwrap();
    let printed = format!("{rabbit:?} {subscription:?}");
    assert!(printed.contains("127.0.0.1") && !printed.contains("s3cret"), "{printed}");
    let rabbit = RabbitMq::builder(&format!("amqp://shop:wr0ng@127.0.0.1:{}", server.port())).connect_in_background().await.unwrap();
    events_core::test_kit::wait_until("the reason is known", async || {
        let error = rabbit.send(&[event("order.payok")]).await.remove(0).unwrap_err();
        assert_eq!(error.kind(), DeliveryErrorKind::Unavailable);
        let said = error.report();
        assert!(!said.contains("wr0ng") && said.contains("127.0.0.1"), "{said}");
        said.contains("refuses the credentials")
    })
    .await;
}
