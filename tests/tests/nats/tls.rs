//! Connections by TLS.

use super::event;
use events_core::Transport;
use events_mq::nats::Nats;
use events_tests::servers::{Identity, NatsServer};
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
    let server = NatsServer::start_with_tls(&Identity { certificate: certificate.pem(), key: key.serialize_pem() });

    let url = format!("tls://localhost:{}", server.port());
    let nats = Nats::builder(&url).root_certificates(&file).connect().await.unwrap();
    nats.send(&[event("a")]).await.remove(0).unwrap();
    let said = Nats::connect(&url).await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached"), "{said}");
    // It is not the one at this address.
    let elsewhere = format!("tls://127.0.0.1:{}", server.port());
    let said = Nats::builder(&elsewhere).root_certificates(&file).connect().await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached"), "{said}");
}
