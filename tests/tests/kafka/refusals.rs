//! What brokers refuse, from a cluster that refuses on command: librdkafka's own.

use super::{SOON, event, keyed};
use events_core::{DeliveryErrorKind, Envelope, Transport, test_kit::wait_until};
use events_mq::Topology;
use events_mq::kafka::{Kafka, KafkaBuilder};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::sync::Arc;
use std::time::{Duration, Instant};

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster(brokers: i32) -> Cluster {
    let cluster = MockCluster::new(brokers).unwrap();
    cluster.create_topic("events.a", 1, brokers).unwrap();
    cluster.create_topic("events.b", 1, brokers).unwrap();
    cluster
}

fn builder(cluster: &Cluster) -> KafkaBuilder {
    Kafka::builder(&format!("kafka://{}", cluster.bootstrap_servers()))
}

fn refuse(cluster: &Cluster, errors: &[RDKafkaRespErr]) {
    cluster.request_errors(RDKafkaApiKey::Produce, errors);
}

fn events(count: usize) -> Vec<Arc<Envelope>> {
    (0..count).map(|n| keyed("a", None, n)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_together_is_sent_alone_before_it_is_given_up() {
    let cluster = cluster(1);
    let kafka = builder(&cluster).connect().await.unwrap();
    refuse(&cluster, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    for result in kafka.send(&events(5)).await {
        result.unwrap();
    }
    // Alone it is refused too.
    refuse(&cluster, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE; 2]);
    let large = event("a");
    let error = kafka.send(std::slice::from_ref(&large)).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Terminal);
    let said = error.report();
    assert!(said.contains("larger") && said.contains("`events.a`") && said.contains(&large.id.to_string()), "{said}");
    kafka.send(&events(1)).await.remove(0).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_write_is_told_so_at_once() {
    let cluster = cluster(1);
    let kafka = builder(&cluster).ack_timeout(Duration::from_secs(20)).connect().await.unwrap();
    refuse(&cluster, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    let begun = Instant::now();
    let error = kafka.send(&events(1)).await.remove(0).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(error.kind(), DeliveryErrorKind::Terminal);
    assert!(error.report().contains("grant Write"), "{}", error.report());
    cluster.topic_error("events.b", RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).unwrap();
    let results = kafka.send(&[event("a"), event("b")]).await;
    results[0].as_ref().unwrap();
    let error = results[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Terminal);
    assert!(error.report().contains("grant Describe"), "{}", error.report());
}

// That the topic is made again needs a broker that survives it; the one of the tests does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_seems_to_be_gone_is_looked_for_before_its_events_are_given_up() {
    let cluster = cluster(1);
    let kafka = builder(&cluster).topology(Topology::Check).connect().await.unwrap();
    for error in [RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN] {
        refuse(&cluster, &[error]);
        kafka.send(&events(3)).await.into_iter().for_each(Result::unwrap);
    }
    refuse(&cluster, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART]);
    cluster.topic_error("events.a", RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    let error = kafka.send(&events(1)).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Terminal, "{}", error.report());
    assert!(error.report().contains("Topology::Create"), "{}", error.report());
    cluster.topic_error("events.a", RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    kafka.send(&events(1)).await.remove(0).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_few_replicas_are_waited_for_and_then_unavailable() {
    let cluster = cluster(3);
    let kafka = builder(&cluster).ack_timeout(Duration::from_secs(2)).connect().await.unwrap();
    refuse(&cluster, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 2]);
    kafka.send(&events(1)).await.remove(0).unwrap();
    refuse(&cluster, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 500]);
    let begun = Instant::now();
    for result in kafka.send(&events(3)).await {
        assert_eq!(result.unwrap_err().kind(), DeliveryErrorKind::Unavailable);
    }
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    cluster.clear_request_errors(RDKafkaApiKey::Produce);
    wait_until("it goes on", async || kafka.send(&events(1)).await[0].is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_that_ended_for_good_is_replaced() {
    let cluster = cluster(1);
    let kafka = builder(&cluster).ack_timeout(Duration::from_secs(3)).connect().await.unwrap();
    kafka.send(&events(1)).await.remove(0).unwrap();
    // An idempotent producer that lost its place must not go on.
    refuse(&cluster, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER]);
    let error = kafka.send(&events(1)).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Unavailable, "{}", error.report());
    kafka.send(&events(1)).await.remove(0).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_whose_leader_moves_is_found_again() {
    let cluster = cluster(3);
    let kafka = builder(&cluster).connect().await.unwrap();
    cluster.partition_leader("events.a", 0, Some(1)).unwrap();
    kafka.send(&events(10)).await.into_iter().for_each(Result::unwrap);
    cluster.partition_leader("events.a", 0, Some(2)).unwrap();
    cluster.broker_down(1).unwrap();
    kafka.send(&events(10)).await.into_iter().for_each(Result::unwrap);
}
