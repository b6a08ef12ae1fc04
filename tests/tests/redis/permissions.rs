//! What a user may not do is told to whom it concerns.

use super::{client, event};
use events_core::{DeliveryErrorKind, Transport};
use events_mq::redis::{RedisStreams, RedisStreamsBuilder};
use events_tests::servers::RedisServer;

const USERS: &str = "user default off
user admin on >a ~* &* +@all
user shop on >s3cret ~events* +@connection +@stream +type +@scripting +multi +exec
user sender on >b ~events +type +xadd
user blind on >c ~other +@all
user nobody on >d ~* +@connection +@stream +type -xpending";

fn user(server: &RedisServer, user: &str, password: &str) -> RedisStreamsBuilder {
    RedisStreams::builder(&format!("redis://{user}:{password}@127.0.0.1:{}", server.port()))
}

#[tokio::test]
async fn an_event_that_may_not_be_sent_is_terminal_and_says_what_is_missing() {
    let server = RedisServer::start_with(USERS);
    let redis = user(&server, "blind", "c").connect_in_background().await.unwrap();
    events_core::test_kit::wait_until("it is connected", async || redis.is_connected()).await;
    let sent = event("order.payok");
    let error = redis.send(std::slice::from_ref(&sent)).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Terminal);
    let said = error.report();
    assert!(
        said.contains("NOPERM") && said.contains("grant it") && said.contains("order.payok") && said.contains(&sent.id.to_string()),
        "{said}"
    );
    let said = user(&server, "blind", "c").connect().await.unwrap_err().to_string();
    assert!(said.contains("`TYPE`") && said.contains("grant"), "{said}");
}

#[tokio::test]
async fn the_documented_commands_are_enough_and_who_lacks_one_is_told_at_the_start() {
    let server = RedisServer::start_with(USERS);
    let sender = user(&server, "sender", "b").connect().await.unwrap();
    sender.send(&[event("order.payok")]).await.remove(0).unwrap();
    let said = sender.subscribe("billing").open().await.unwrap_err().to_string();
    assert!(said.contains("`XGROUP CREATE`") && said.contains("grant"), "{said}");
    let shop = user(&server, "shop", "s3cret").connect().await.unwrap();
    shop.subscribe("billing").open().await.unwrap().stop().await;
    let nobody = user(&server, "nobody", "d").connect().await.unwrap();
    let said = nobody.subscribe("billing").open().await.unwrap_err().to_string();
    assert!(said.contains("XPENDING") && said.contains("grant"), "{said}");
}

#[tokio::test]
async fn nothing_that_is_printed_holds_a_password() {
    let server = RedisServer::start_with(USERS);
    let redis = user(&server, "shop", "s3cret").connect().await.unwrap();
    let subscription = redis.subscribe("reader").topics("order.*").open().await.unwrap();
    let printed = format!("{redis:?} {subscription:?}");
    assert!(printed.contains("127.0.0.1") && !printed.contains("s3cret"), "{printed}");
    let redis = user(&server, "shop", "wr0ng").connect_in_background().await.unwrap();
    events_core::test_kit::wait_until("the reason is known", async || {
        let error = redis.send(&[event("order.payok")]).await.remove(0).unwrap_err();
        assert_eq!(error.kind(), DeliveryErrorKind::Unavailable);
        let said = error.report();
        assert!(!said.contains("wr0ng"), "{said}");
        said.contains("refuses the credentials")
    })
    .await;
}

#[tokio::test]
async fn a_server_that_has_no_room_for_another_client_does_not_refuse_the_password() {
    let server = RedisServer::start_with(&format!("{USERS}\nmaxclients 1"));
    let _only: redis::aio::MultiplexedConnection = client(&server, "admin:a@").await;
    let said = user(&server, "shop", "s3cret").connect().await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached") && !said.contains("credentials"), "{said}");
}
