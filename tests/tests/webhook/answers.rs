//! What a receiver's answer means.

use super::receiver::{Answer, Receiver, answers, says};
use super::{SECRET, builder, event, send_one};
use events_core::{DeliveryErrorKind::*, Envelope, SENSITIVE_HEADER, Transport, test_kit::wait_until};
use events_mq::webhook::Verifier;
use std::time::Duration;

#[tokio::test]
async fn two_hundred_and_its_kin_are_success_410_is_the_end_and_all_else_is_tried_again() {
    for status in [200, 201, 202, 204, 299] {
        let receiver = Receiver::start(move |_| says(status, "")).await;
        send_one(&builder(&receiver.url()).build().unwrap()).await.unwrap();
    }
    for status in [300, 301, 304, 307, 400, 401, 403, 404, 405, 408, 409, 422, 425, 429, 451, 500, 502, 503, 504, 599] {
        let receiver = Receiver::start(move |_| says(status, "why not")).await;
        let error = send_one(&builder(&receiver.url()).build().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), Retryable(None), "{error}");
        let said = error.report();
        assert!(said.starts_with(&format!("{} answered {status}", receiver.url())), "{said}");
        assert!(said.contains("\"why not\"") || status == 304, "{said}");
    }
    let receiver = Receiver::start(|_| says(410, "go away")).await;
    let error = send_one(&builder(&receiver.url()).build().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), Terminal);
    assert!(error.report().contains("410 Gone") && error.report().contains("\"go away\""), "{error}");
}

// Invariant 23.
#[tokio::test]
async fn an_answer_about_an_event_with_sensitive_fields_is_not_quoted() {
    let sensitive = || {
        let mut envelope = Envelope::clone(&event(1));
        envelope.headers.insert(SENSITIVE_HEADER.to_owned(), r#"["card"]"#.to_owned());
        std::sync::Arc::new(envelope)
    };
    for (status, kind) in [(200, Retryable(None)), (302, Retryable(None)), (410, Terminal), (422, Retryable(None))] {
        let receiver = Receiver::start(move |_| says(status, "no such card: 4111")).await;
        let webhook = builder(&receiver.url()).expect_body("success").build().unwrap();
        let error = webhook.send(&[sensitive()]).await.remove(0).unwrap_err();
        assert_eq!(error.kind(), kind);
        let said = error.report();
        assert!(said.contains(&status.to_string()) && !said.contains("4111"), "{said}");
        let quoted = send_one(&webhook).await.unwrap_err().report();
        assert!(quoted.contains("4111"), "of other events it is: {quoted}");
    }
}

#[tokio::test]
async fn with_an_expected_body_the_status_is_not_enough() {
    let full = format!("{:<1024}", "success");
    let taken = ["success", " success\r\n", &full];
    let not_taken = ["", "SUCCESS", "successful", "success success", "fail", &format!("{full}."), &format!("{full:<2000}.")];
    for (bodies, is_taken) in [(&taken[..], true), (&not_taken[..], false)] {
        for body in bodies {
            let said = (*body).to_owned();
            let receiver = Receiver::start(move |_| says(200, &said)).await;
            let sent = send_one(&builder(&receiver.url()).expect_body("success").build().unwrap()).await;
            assert_eq!(sent.is_ok(), is_taken, "{body:?}");
            if let Err(error) = sent {
                assert_eq!(error.kind(), Retryable(None));
                assert!(error.report().contains("answered 200 OK, but not `success`"), "{error}");
            }
        }
    }
    let receiver = Receiver::start(|_| says(500, "success")).await;
    send_one(&builder(&receiver.url()).expect_body("success").build().unwrap()).await.unwrap_err();
}

#[tokio::test]
async fn a_receiver_may_ask_for_patience() {
    for (headers, patience) in [
        ("retry-after: 120\r\n", Some(120)),
        ("retry-after: 99999999\r\n", Some(24 * 60 * 60)),
        ("retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n", None),
        ("retry-after: soon\r\n", None),
    ] {
        for status in [429, 503] {
            let receiver = Receiver::start(move |_| answers(status, headers, "")).await;
            let error = send_one(&builder(&receiver.url()).build().unwrap()).await.unwrap_err();
            assert_eq!(error.kind(), Retryable(patience.map(Duration::from_secs)), "{headers}");
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_but_told_without_its_secrets() {
    let elsewhere = Receiver::start(|_| says(200, "")).await;
    let location = format!("location: http://u:s3cret@127.0.0.1:{}/new?token=t0ken\r\n", elsewhere.port);
    for status in [301, 302, 303, 307, 308] {
        let location = location.clone();
        let receiver = Receiver::start(move |_| answers(status, &location, "")).await;
        let error = send_one(&builder(&receiver.url()).build().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), Retryable(None));
        let said = error.report();
        assert!(said.contains(&format!("{status} ")) && said.contains(&format!("http://127.0.0.1:{}/new,", elsewhere.port)), "{said}");
        assert!(!said.contains("t0ken") && !said.contains("s3cret"), "{said}");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn redirects_that_keep_the_request_are_followed_if_that_is_allowed() {
    let last = Receiver::start(|_| says(200, "")).await;
    for status in [307, 308] {
        let location = format!("location: {}\r\n", last.url());
        let second = Receiver::start(move |_| answers(status, &location, "")).await;
        let location = format!("location: {}\r\n", second.url());
        let first = Receiver::start(move |_| answers(status, &location, "")).await;
        let before = last.requests.len();
        send_one(&builder(&first.url()).redirects(2).build().unwrap()).await.unwrap();
        let request = last.requests.all().remove(before);
        assert!(request.line.starts_with("POST "));
        Verifier::new([SECRET]).unwrap().verify(&request.headers, &request.body).unwrap();

        let error = send_one(&builder(&first.url()).redirects(1).build().unwrap()).await.unwrap_err();
        assert!(error.report().contains("is not followed"), "{error}");
        assert_eq!(last.requests.len(), before + 1);
    }
}

#[tokio::test]
async fn a_redirect_that_would_lose_the_event_is_never_followed() {
    let last = Receiver::start(|_| says(200, "")).await;
    for status in [301, 302, 303] {
        let location = format!("location: {}\r\n", last.url());
        let first = Receiver::start(move |_| answers(status, &location, "")).await;
        let error = send_one(&builder(&first.url()).redirects(5).build().unwrap()).await.unwrap_err();
        assert!(error.report().contains("307 and 308 only"), "{error}");
    }
    assert_eq!(last.connections(), 0);
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let receiver = Receiver::start(|_| answers(307, "location: /hooks\r\n", "")).await;
    let error = send_one(&builder(&receiver.url()).redirects(5).build().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), Retryable(None));
    assert_eq!(receiver.requests.len(), 6);
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    const ENOUGH: usize = 32 * 1024 * 1024;
    let flood = |head| Receiver::start(move |_| Answer::Flood(head));
    let ok = flood("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n").await;
    send_one(&builder(&ok.url()).build().unwrap()).await.unwrap();
    let expected = flood("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n").await;
    send_one(&builder(&expected.url()).expect_body("success").build().unwrap()).await.unwrap_err();
    let error = flood("HTTP/1.1 500 No\r\n\r\n").await;
    let said = send_one(&builder(&error.url()).build().unwrap()).await.unwrap_err().report();
    assert!(said.len() < 400 && said.contains("xxxxxxxx"), "{} bytes: {said}", said.len());
    let head = flood("HTTP/1.1 200 OK\r\nx-much: ").await;
    send_one(&builder(&head.url()).build().unwrap()).await.unwrap_err();
    for receiver in [ok, expected, error, head] {
        wait_until("the connection is closed", async || receiver.closed() == 1).await;
        assert!(receiver.flooded() < ENOUGH, "{} bytes", receiver.flooded());
    }
}

#[tokio::test]
async fn what_a_receiver_repeats_is_shown_in_one_line_without_secrets() {
    let receiver = Receiver::start(|request| {
        let repeated = format!("\u{1b}[2J{}\r\n{:?}", request.line, request.headers["authorization"].to_str().unwrap());
        says(404, &format!("{repeated} shop s3cret t0ken"))
    })
    .await;
    let url = receiver.url().replace("http://", "http://shop:s3cret@") + "?token=t0ken";
    let webhook = builder(&url).build().unwrap();
    let error = send_one(&webhook).await.unwrap_err();
    let printed = format!("{error} {error:?} {webhook:?}");
    for secret in ["s3cret", "t0ken", &SECRET[6..], "c2hvcDpzM2NyZXQ"] {
        assert!(!printed.contains(secret), "{secret}: {printed}");
    }
    assert!(error.report().contains("POST /hooks?***") && !error.report().chars().any(char::is_control), "{error}");
}
