//! Redirects from a receiver with a public name to where nobody may go. The name is public because the tests say so.

use super::Webhook;
use events_core::{DeliveryError, DeliveryErrorKind, Envelope, EventId, Headers, Transport};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

/// Answers every connection once, and counts them.
fn receiver(answer: String) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            counted.fetch_add(1, SeqCst);
            // The request may come in parts; an answer to the first of them is early, and good enough.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, count)
}

async fn redirected_to(location: &str) -> Result<(), DeliveryError> {
    let (address, count) =
        receiver(format!("HTTP/1.1 307 Elsewhere\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"));
    let builder = Webhook::builder(&format!("http://receiver.test:{}/hooks", address.port())).unsigned().redirects(3).allow_http();
    let webhook = builder.build_with(|client| client.resolve("receiver.test", address)).unwrap();
    let envelope = Envelope {
        id: EventId::now(),
        topic: "test.counted".into(),
        version: 1,
        key: None,
        occurred_at: time::OffsetDateTime::now_utc(),
        source: "/tests".into(),
        content_type: "application/json".into(),
        headers: Headers::new(),
        payload: "{}".into(),
    };
    let sent = webhook.send(&[Arc::new(envelope)]).await.remove(0);
    assert_eq!(count.load(SeqCst), 1, "{location}");
    sent
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused_however_it_is_written() {
    let (inside, count) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned());
    let port = inside.port();
    let hosts = [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "[64:ff9b::7f00:1]",
        "localhost",
        "LocalHost",
    ];
    for host in hosts {
        let error = redirected_to(&format!("http://u:s3cret@{host}:{port}/inside?token=t0ken")).await.unwrap_err();
        assert_eq!(error.kind(), DeliveryErrorKind::Terminal, "{host}: {error}");
        let said = error.report();
        assert!(said.contains("is not sent to http://receiver.test") && said.contains("no public address"), "{host}: {said}");
        assert!(!said.contains("s3cret") && !said.contains("t0ken"), "{said}");
    }
    assert_eq!(count.load(SeqCst), 0, "nobody has even connected");
}

#[tokio::test]
async fn a_redirect_to_another_protocol_is_refused() {
    let error = redirected_to("ftp://files.example/").await.unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Terminal);
    assert!(error.report().contains("`ftp`"), "{error}");
}
