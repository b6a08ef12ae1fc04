//! What is known of a password, and to whom.

use super::{event, receive};
use events_core::{DeliveryErrorKind, Transport, test_kit::wait_until};
use events_mq::kafka::{Kafka, KafkaBuilder, SaslMechanism};
use events_tests::servers::KafkaServer;

fn user(server: &KafkaServer, password: &str) -> KafkaBuilder {
    Kafka::builder(&format!("kafka://shop:{password}@127.0.0.1:{}", server.port())).sasl(SaslMechanism::ScramSha256).replication(1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_printed_holds_a_password() {
    let server = KafkaServer::start_with_user("shop", "s3cret");
    let kafka = user(&server, "s3cret").connect().await.unwrap();
    let mut subscription = kafka.subscribe("reader").open().await.unwrap();
    kafka.send(&[event("order.payok")]).await.remove(0).unwrap();
    receive(&mut subscription).await.ack().await.unwrap();
    let printed = format!("{kafka:?} {subscription:?}");
    assert!(printed.contains("127.0.0.1") && !printed.contains("s3cret"), "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_in_the_background_is_unavailable_and_told_why() {
    let server = KafkaServer::start_with_user("shop", "s3cret");
    let kafka = user(&server, "wr0ng").connect_in_background().await.unwrap();
    wait_until("the reason is known", async || {
        let error = kafka.send(&[event("order.payok")]).await.remove(0).unwrap_err();
        assert_eq!(error.kind(), DeliveryErrorKind::Unavailable);
        let said = error.report();
        assert!(!said.contains("wr0ng"), "{said}");
        said.contains("refuses the credentials")
    })
    .await;
    let said = kafka.subscribe("reader").open().await.unwrap_err().to_string();
    assert!(said.contains("credentials") && !said.contains("wr0ng"), "{said}");
    // Nobody at all is not let in either.
    let nobody = Kafka::builder(&format!("kafka://127.0.0.1:{}", server.port()));
    assert!(nobody.connect().await.is_err());
}
