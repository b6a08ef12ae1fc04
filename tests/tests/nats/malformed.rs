//! Messages of strangers that break the rules of the protocol. The server passes them on as they are.

use super::{builder, event};
use events_core::{Envelope, Subscription, Transport, test_kit::wait_until};
use events_tests::servers::NatsServer;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Publishes a message with these headers, whatever they are.
async fn publish(server: &NatsServer, headers: &[u8]) {
    let headers = [b"NATS/1.0\r\n", headers, b"\r\n\r\n"].concat();
    let mut line = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    line.write_all(b"CONNECT {\"verbose\":false,\"headers\":true}\r\n").await.unwrap();
    line.write_all(format!("HPUB events.bad {0} {0}\r\n", headers.len()).as_bytes()).await.unwrap();
    line.write_all(&[&headers[..], b"\r\nPING\r\n"].concat()).await.unwrap();
    let mut said = Vec::new();
    while !said.windows(4).any(|window| window == b"PONG") {
        assert_ne!(line.read_buf(&mut said).await.unwrap(), 0, "{}", String::from_utf8_lossy(&said));
    }
}

/// The first of them ends the library's task by a panic, the others make it drop the connection.
const MALFORMED: [&[u8]; 3] = [b"X: a\rb", b"X: \xff", b"no colon"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_ends_the_connection_itself_stops_neither_transport_nor_subscription() {
    for headers in MALFORMED {
        let server = NatsServer::start();
        let nats = builder(&server).connect().await.unwrap();
        let mut subscription = nats.subscribe("reader").ack_wait(Duration::from_secs(3)).open().await.unwrap();
        nats.send(&[event("before")]).await.remove(0).unwrap();
        publish(&server, headers).await;
        let after = event("after");
        let receiving = async {
            let (mut topics, mut ids) = (Vec::new(), Vec::new());
            while !ids.contains(&after.id) {
                let received = subscription.next().await.unwrap();
                let Envelope { id, topic, .. } = &**received.envelope();
                topics.push(topic.to_string());
                ids.push(*id);
                // The connection may break at any moment.
                let _ = received.ack().await;
            }
            assert!(topics.contains(&"before".to_owned()), "{topics:?}");
        };
        let sending = wait_until("it is sent", async || {
            let result = nats.send(std::slice::from_ref(&after)).await.remove(0);
            if let Err(error) = &result {
                assert_eq!(error.kind(), events_core::DeliveryErrorKind::Unavailable, "{error}");
            }
            result.is_ok()
        });
        tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(receiving, sending) }).await.expect("both go on");
    }
}
