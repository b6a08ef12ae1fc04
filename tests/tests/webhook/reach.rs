//! Whom a webhook does not talk to. What a redirect to such an address does is tested beside the code, where a name can be made public.

use super::receiver::{Receiver, says};
use super::{SECRET, builder, send_one};
use events_core::DeliveryErrorKind::Terminal;
use events_mq::webhook::Webhook;
use std::process::Command;

#[tokio::test]
async fn a_private_address_is_refused_however_it_is_written() {
    let hosts = [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "192.0.2.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a00:1]",
        "[64:ff9b::7f00:1]",
        "[fe80::1]",
        "[fd00::1]",
        "[ff02::1]",
    ];
    for host in hosts {
        let url = format!("https://shop:s3cret@{host}:8443/hooks?token=t0ken");
        let said = Webhook::builder(&url).secret(SECRET).build().unwrap_err().to_string();
        assert!(said.contains("is no public address") && said.contains("`allow_private_addresses()`"), "{host}: {said}");
        assert!(!said.contains("s3cret") && !said.contains("t0ken"), "{said}");
        Webhook::builder(&url).secret(SECRET).allow_private_addresses().build().unwrap();
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_refused_when_it_does() {
    let receiver = Receiver::start(|_| says(200, "")).await;
    for name in ["localhost", "LOCALHOST"] {
        let url = format!("http://shop:s3cret@{name}:{}/hooks?token=t0ken", receiver.port);
        let error = send_one(&Webhook::builder(&url).secret(SECRET).allow_http().build().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), Terminal);
        let said = error.report();
        assert!(said.contains("on topic `test.counted`") && said.contains("`localhost"), "{said}");
        assert!(said.contains("no public address") && said.contains("`allow_private_addresses()`"), "{said}");
        assert!(!said.contains("s3cret") && !said.contains("t0ken"), "{said}");
    }
    assert_eq!(receiver.connections(), 0, "nobody has even connected");
    send_one(&builder(&receiver.url().replace("127.0.0.1", "localhost")).build().unwrap()).await.unwrap();
}

/// Runs in a process of its own, whose environment names a proxy.
#[tokio::test]
async fn proxies_of_the_environment_are_not_used() {
    const NAME: &str = "webhook::reach::proxies_of_the_environment_are_not_used";
    if let Ok(url) = std::env::var("TEST_WEBHOOK_URL") {
        send_one(&builder(&url).build().unwrap()).await.unwrap();
        return;
    }
    let (receiver, proxy) = (Receiver::start(|_| says(200, "")).await, Receiver::start(|_| says(200, "")).await);
    let address = format!("http://127.0.0.1:{}", proxy.port);
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args([NAME, "--exact"]).env("TEST_WEBHOOK_URL", receiver.url()).env_remove("NO_PROXY").env_remove("no_proxy");
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        again.env(name, &address);
    }
    let output = tokio::task::spawn_blocking(move || again.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!((receiver.requests.len(), proxy.connections()), (1, 0));
}
