//! What goes over the wire.

use super::receiver::{Answer, Receiver, Request, says};
use super::{SECRET, SOON, builder, event, send_one};
use events_core::{Envelope, EventId, Headers, Transport, test_kit::wait_until};
use events_mq::webhook::{HeaderMap, Rejected, Verifier, Webhook, from_json};
use events_tests::Gate;
use std::sync::Arc;
use time::OffsetDateTime;

const OLD_SECRET: &str = "whsec_BgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgY=";
const OTHER_SECRET: &str = "whsec_CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn an_event_arrives_as_a_signed_cloud_event() {
    let receiver = Receiver::start(|_| says(200, "")).await;
    let sent = Arc::new(Envelope {
        id: EventId::now(),
        topic: "order.payok".into(),
        version: 3,
        key: Some("Ключ №7\r\n".into()),
        occurred_at: OffsetDateTime::UNIX_EPOCH + time::Duration::nanoseconds(1_700_000_000_123_456_789),
        source: "/Läden/1".into(),
        content_type: "application/json".into(),
        headers: Headers::from([
            ("traceparent".into(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
            ("tracestate".into(), "a=ü\r\nx: y".into()),
            ("Größe: XL".into(), "50 %".into()),
        ]),
        payload: "{\"order_id\": 7, \"at\": \"Köln\"}".into(),
    });
    let webhook = builder(&receiver.url()).secret(OLD_SECRET).build().unwrap();
    webhook.send(&[Arc::clone(&sent)]).await.remove(0).unwrap();

    let request = receiver.requests.all().remove(0);
    assert_eq!(request.line, "POST /hooks HTTP/1.1");
    assert_eq!(header(&request, "content-type"), "application/cloudevents+json; charset=utf-8");
    assert_eq!(header(&request, "webhook-id"), sent.id.to_string());
    assert_eq!(header(&request, "traceparent"), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    assert_eq!(header(&request, "tracestate"), "a=%C3%BC%0D%0Ax:%20y");
    assert!(header(&request, "user-agent").starts_with("events-mq/"));
    let age = OffsetDateTime::now_utc().unix_timestamp() - header(&request, "webhook-timestamp").parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age}");
    assert_eq!(header(&request, "webhook-signature").split(' ').filter(|signature| signature.starts_with("v1,")).count(), 2);
    // Whoever has one of the secrets believes it, by whatever library.
    for secret in [SECRET, OLD_SECRET] {
        standardwebhooks::Webhook::new(secret).unwrap().verify(&request.body, &request.headers).unwrap();
        assert_eq!(Verifier::new([OTHER_SECRET, secret]).unwrap().verify(&request.headers, &request.body).unwrap(), *sent);
    }
    let json: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!((&json["type"], &json["data"]["order_id"]), (&"order.payok".into(), &7.into()));
}

#[tokio::test]
async fn what_was_changed_on_the_way_or_is_old_or_comes_from_others_is_not_believed() {
    let receiver = Receiver::start(|_| says(200, "")).await;
    send_one(&builder(&receiver.url()).build().unwrap()).await.unwrap();
    let Request { headers, body, .. } = receiver.requests.all().remove(0);
    let verifier = Verifier::new([SECRET]).unwrap();
    verifier.verify(&headers, &body).unwrap();

    let unproven =
        |verifier: &Verifier, headers: &HeaderMap, body: &[u8]| matches!(verifier.verify(headers, body), Err(Rejected::Unproven(_)));
    assert!(unproven(&Verifier::new([OTHER_SECRET]).unwrap(), &headers, &body));
    assert!(unproven(&verifier, &headers, &[&body[..], b" "].concat()));
    for (name, value) in [
        ("webhook-id", EventId::now().to_string()),
        ("webhook-timestamp", (OffsetDateTime::now_utc().unix_timestamp() - 301).to_string()),
        ("webhook-signature", "v1,AAAA".to_owned()),
    ] {
        let mut forged = headers.clone();
        forged.insert(name, value.parse().unwrap());
        assert!(unproven(&verifier, &forged, &body), "{name}");
        forged.remove(name);
        assert!(unproven(&verifier, &forged, &body), "{name}");
    }
}

#[tokio::test]
async fn what_is_signed_but_no_event_is_told_apart() {
    let verifier = Verifier::new([SECRET]).unwrap();
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let signature = standardwebhooks::Webhook::new(SECRET).unwrap().sign("1", now, b"{}").unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in [("webhook-id", "1"), ("webhook-timestamp", &*now.to_string()), ("webhook-signature", &*signature)] {
        headers.insert(name, value.parse().unwrap());
    }
    let error = verifier.verify(&headers, b"{}").unwrap_err();
    assert!(matches!(error, Rejected::NotAnEvent(_)) && error.to_string().contains("`specversion`"), "{error}");
}

#[tokio::test]
async fn who_wants_no_signature_gets_none() {
    let receiver = Receiver::start(|_| says(204, "")).await;
    let url = receiver.url().replace("http://", "http://shop:s3cret@");
    send_one(&Webhook::builder(&url).unsigned().allow_http().allow_private_addresses().build().unwrap()).await.unwrap();
    let request = receiver.requests.all().remove(0);
    assert_eq!(header(&request, "webhook-signature"), "");
    assert!(!header(&request, "webhook-id").is_empty());
    assert_eq!(header(&request, "authorization"), "Basic c2hvcDpzM2NyZXQ=");
}

#[tokio::test]
async fn a_batch_has_one_result_per_event_in_its_order() {
    let receiver = Receiver::start(|request| {
        let n: usize = std::str::from_utf8(&from_json(&request.body).unwrap().payload).unwrap().parse().unwrap();
        match n % 3 {
            0 => says(200, ""),
            1 => says(500, &format!("no {n} now")),
            _ => says(410, &format!("no {n} at all")),
        }
    })
    .await;
    let webhook = builder(&receiver.url()).concurrency(16).build().unwrap();
    let batch: Vec<_> = (0..300).map(event).collect();
    let results = webhook.send(&batch).await;
    assert_eq!((results.len(), receiver.requests.len()), (300, 300));
    for (n, result) in results.iter().enumerate() {
        let said = result.as_ref().err().map(events_core::DeliveryError::report).unwrap_or_default();
        match n % 3 {
            0 => assert_eq!(said, ""),
            1 => assert!(said.contains(&format!("\"no {n} now\"")), "{said}"),
            _ => assert!(said.contains(&format!("\"no {n} at all\"")), "{said}"),
        }
    }
    assert!(receiver.connections() <= 16, "connections are used again: {}", receiver.connections());
}

#[tokio::test]
async fn a_batch_has_so_many_requests_under_way_and_no_more() {
    let gate = Gate::default();
    gate.close();
    let receiver = Receiver::start({
        let gate = gate.clone();
        move |_| Answer::SaysAt(gate.clone(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned())
    })
    .await;
    let webhook = builder(&receiver.url()).concurrency(3).build().unwrap();
    let sending = tokio::spawn(async move { webhook.send(&(0..40).map(event).collect::<Vec<_>>()).await });
    wait_until("as many requests as may be are under way", async || receiver.under_way() == 3).await;
    gate.open();
    let results = tokio::time::timeout(SOON, sending).await.unwrap().unwrap();
    assert!(results.iter().all(Result::is_ok) && results.len() == 40);
    assert_eq!(receiver.most_under_way(), 3);
}
