//! Connections by TLS.

use super::event;
use events_core::{Subscription, Transport};
use events_mq::redis::RedisStreams;
use events_tests::servers::{Identity, RedisServer};
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
    let identity = Identity { certificate: certificate.pem(), key: key.serialize_pem() };
    let server = RedisServer::start_with_tls(&identity, "requirepass s3cret");

    let url = format!("rediss://localhost:{}", server.port());
    let redis = RedisStreams::builder(&url).password("s3cret").root_certificates(&file).connect().await.unwrap();
    redis.send(&[event("a")]).await.remove(0).unwrap();
    let mut subscription = redis.subscribe("reader").open().await.unwrap();
    subscription.next().await.unwrap().ack().await.unwrap();
    // By the scheme of a connection without TLS, too.
    let plain = format!("redis://:s3cret@localhost:{}", server.port());
    RedisStreams::builder(&plain).require_tls().root_certificates(&file).connect().await.unwrap();
    let said = RedisStreams::builder(&url).password("s3cret").connect().await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached") && said.contains("ertificate"), "{said}");
    // It is not the one at this address.
    let elsewhere = format!("rediss://:s3cret@127.0.0.1:{}", server.port());
    let said = RedisStreams::builder(&elsewhere).root_certificates(&file).connect().await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached") && !said.contains("s3cret"), "{said}");
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_of_ours_gets_it() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let identity = Identity { certificate: certified.cert.pem(), key: certified.signing_key.serialize_pem() };
    let server = RedisServer::start_with_tls(&identity, "tls-auth-clients yes");
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    fs::write(&certificate, &identity.certificate).unwrap();
    fs::write(&key, &identity.key).unwrap();
    let builder = || RedisStreams::builder(&format!("rediss://localhost:{}", server.port())).root_certificates(&certificate);
    builder().client_certificate(&certificate, &key).connect().await.unwrap().send(&[event("a")]).await.remove(0).unwrap();
    let said = builder().connect().await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached"), "{said}");
    // A file that is none is an error of who starts, and names it.
    let said = builder().client_certificate(&key, &key).connect().await.unwrap_err().to_string();
    assert!(said.contains("key.pem") && said.contains("certificate"), "{said}");
}
