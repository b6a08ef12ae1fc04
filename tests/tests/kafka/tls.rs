//! Connections by TLS. The server speaks none, so somebody who does stands before it.

use super::{event, receive};
use events_core::Transport;
use events_mq::kafka::{Kafka, KafkaBuilder};
use events_tests::servers::KafkaServer;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::{fs, sync::Arc};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto::ring};

/// Takes what comes by TLS, and passes it on to `port`.
async fn stand_before(listener: TcpListener, port: u16, certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(mut client) = acceptor.accept(client).await else { return };
            let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_trusted_by_the_certificate_that_was_given_and_no_other() {
    let mut params = CertificateParams::default();
    // Whoever has the same name as its issuer has issued itself, says OpenSSL.
    params.distinguished_name.push(DnType::CommonName, "the authority of the tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
    let (issuer, key) = (Issuer::new(params, key), KeyPair::generate().unwrap());
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = KafkaServer::start_behind(port);
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    tokio::spawn(stand_before(listener, server.port(), certificate.der().clone(), key));

    let trusting = |url: String| -> KafkaBuilder { Kafka::builder(&url).root_certificates(&file).replication(1) };
    let kafka = trusting(format!("kafkas://localhost:{port}")).connect().await.unwrap();
    let mut subscription = kafka.subscribe("reader").open().await.unwrap();
    kafka.send(&[event("a")]).await.remove(0).unwrap();
    receive(&mut subscription).await.ack().await.unwrap();
    let said = Kafka::connect(&format!("kafkas://localhost:{port}")).await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached") && said.contains("certificate"), "{said}");
    // It is not the one at this address.
    let said = trusting(format!("kafkas://127.0.0.1:{port}")).connect().await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached"), "{said}");
}
