//! https, with a receiver that proves who it is.

use super::receiver::{Receiver, answers, says};
use super::{SECRET, send_one};
use events_core::DeliveryErrorKind::{Retryable, Terminal};
use events_mq::webhook::{Webhook, WebhookBuilder};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::{fs, sync::Arc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};

fn builder(url: &str) -> WebhookBuilder {
    Webhook::builder(url).secret(SECRET).allow_private_addresses()
}

#[tokio::test]
async fn a_receiver_is_trusted_by_the_certificate_that_was_given_and_no_other() {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
    let (issuer, key) = (Issuer::new(params, key), KeyPair::generate().unwrap());
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let unsafe_place = Receiver::start(|_| says(200, "success")).await;
    let location = format!("location: {}\r\n", unsafe_place.url());
    let receiver = Receiver::start_with_tls(TlsAcceptor::from(Arc::new(config)), move |request| match &*request.line {
        "POST /moved HTTP/1.1" => answers(308, &location, ""),
        _ => says(200, "success"),
    })
    .await;

    let url = format!("https://localhost:{}/hooks?token=t0ken", receiver.port);
    send_one(&builder(&url).root_certificates(&file).expect_body("success").build().unwrap()).await.unwrap();
    assert_eq!(receiver.requests.len(), 1);
    // It is not the one at this address.
    let elsewhere = url.replace("localhost", "127.0.0.1");
    for webhook in [builder(&url).build().unwrap(), builder(&elsewhere).root_certificates(&file).build().unwrap()] {
        let error = send_one(&webhook).await.unwrap_err();
        assert_eq!(error.kind(), Retryable(None));
        assert!(error.report().contains("cannot be reached") && error.report().contains("certificate"), "{error}");
        assert!(!error.report().contains("t0ken"), "{error}");
    }
    assert_eq!(receiver.requests.len(), 1);
    // A redirect must not take off the protection.
    let moved = format!("https://localhost:{}/moved", receiver.port);
    let webhook = builder(&moved).root_certificates(&file).redirects(1).build().unwrap();
    let error = send_one(&webhook).await.unwrap_err();
    assert_eq!(error.kind(), Terminal);
    assert!(error.report().contains("`allow_http()`"), "{error}");
    assert_eq!(unsafe_place.connections(), 0);
}
