//! Receivers that are away, or that do not come to an end.

use super::receiver::{Answer, Receiver};
use super::{builder, event, send_one};
use events_core::{DeliveryErrorKind::Retryable, Transport};
use events_mq::webhook::from_json;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(500);
/// Longer than all limits, shorter than for ever.
const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_receiver_that_never_answers_is_a_failed_attempt_after_the_time_limit() {
    let nothing = Receiver::start(|_| Answer::Nothing).await;
    let head = Receiver::start(|_| Answer::Trickle("HTTP/1.1 200 OK\r\nx-slow: ")).await;
    for receiver in [nothing, head] {
        let begun = Instant::now();
        let error = send_one(&builder(&receiver.url()).timeout(SHORT).build().unwrap()).await.unwrap_err();
        assert!((SHORT..LONG).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        assert_eq!(error.kind(), Retryable(None));
        assert_eq!(error.report(), format!("{} did not answer within 500ms", receiver.url()));
    }
}

#[tokio::test]
async fn a_body_that_trickles_for_ever_holds_up_nobody_who_does_not_need_it() {
    let receiver = Receiver::start(|_| Answer::Trickle("HTTP/1.1 200 OK\r\n\r\nsuccess")).await;
    let begun = Instant::now();
    send_one(&builder(&receiver.url()).timeout(LONG).build().unwrap()).await.unwrap();
    assert!(begun.elapsed() < LONG / 2, "{:?}", begun.elapsed());

    let error = send_one(&builder(&receiver.url()).timeout(SHORT).expect_body("success").build().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), Retryable(None));
    assert!(error.report().contains("but not `success`: \"successx"), "{error}");

    let receiver = Receiver::start(|_| Answer::Trickle("HTTP/1.1 500 No\r\n\r\nbroken ")).await;
    let begun = Instant::now();
    let error = send_one(&builder(&receiver.url()).timeout(LONG).build().unwrap()).await.unwrap_err();
    assert!(error.report().contains(": \"broken x") && begun.elapsed() < LONG / 2, "{:?}: {error}", begun.elapsed());
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_a_failed_attempt_and_no_outage() {
    let receiver = Receiver::start(|_| Answer::Hangup).await;
    let error = send_one(&builder(&receiver.url()).build().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), Retryable(None));
    assert!(error.report().starts_with(&format!("{} did not answer: ", receiver.url())), "{error}");

    // Nobody listens here: the port was free a moment ago, and is bound but not listened to.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://127.0.0.1:{}/hooks?token=t0ken", socket.local_addr().unwrap().port());
    let error = send_one(&builder(&url).build().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), Retryable(None));
    assert!(error.report().contains("cannot be reached") && error.report().contains("refused"), "{error}");
    assert!(!error.report().contains("t0ken"), "{error}");

    let error = send_one(&builder("http://nobody.invalid/hooks").connect_timeout(SHORT).build().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), Retryable(None));
    assert!(error.report().starts_with("http://nobody.invalid/hooks cannot be reached"), "{error}");
}

#[tokio::test]
async fn an_event_whose_receiver_is_slow_does_not_hold_up_the_others() {
    let receiver = Receiver::start(|request| match &*from_json(&request.body).unwrap().payload {
        b"0" => Answer::Nothing,
        _ => super::receiver::says(200, ""),
    })
    .await;
    let webhook = builder(&receiver.url()).concurrency(2).timeout(Duration::from_secs(5)).build().unwrap();
    let begun = Instant::now();
    let batch: Vec<_> = (0..100).map(event).collect();
    let sending = webhook.send(&batch);
    let watching = async {
        receiver.requests.wait_for(100, super::SOON).await;
        begun.elapsed()
    };
    let (results, all_begun) = tokio::join!(sending, watching);
    assert!(all_begun < Duration::from_secs(4), "{all_begun:?}");
    assert_eq!(results.iter().position(Result::is_err), Some(0));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 99);
}
