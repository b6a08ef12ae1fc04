//! Connections by TLS.

use super::{event, user_of};
use events_core::{Subscription, Transport};
use events_mq::rabbitmq::RabbitMq;
use events_tests::servers::{Identity, RabbitMqServer};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::fs;

#[tokio::test]
async fn a_server_is_trusted_by_the_certificate_that_was_given_and_no_other() {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
    let (issuer, key) = (Issuer::new(params, key), KeyPair::generate().unwrap());
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let server = RabbitMqServer::start_with_tls(&Identity { certificate: certificate.pem(), key: key.serialize_pem() });

    let url = |host: &str| format!("amqps://shop:s3cret@{host}:{}", server.port());
    let rabbit = RabbitMq::builder(&url("localhost")).root_certificates(&file).queue("reader", "#").connect().await.unwrap();
    rabbit.send(&[event("a")]).await.remove(0).unwrap();
    let mut subscription = rabbit.subscribe("reader").open().await.unwrap();
    subscription.next().await.unwrap().ack().await.unwrap();
    subscription.stop().await;
    let said = RabbitMq::connect(&url("localhost")).await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached") && !said.contains("s3cret"), "{said}");
    // It is not the one at this address.
    let said = RabbitMq::builder(&url("127.0.0.1")).root_certificates(&file).connect().await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached"), "{said}");
}

#[tokio::test]
async fn a_server_without_tls_is_not_talked_to_if_tls_is_required() {
    let server = RabbitMqServer::start();
    let said = user_of(&server).require_tls().connect().await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached"), "{said}");
}
