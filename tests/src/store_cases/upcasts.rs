//! Old versions of an event are read as the new one, wherever they were kept.

use super::inbox::{arrived, idle};
use crate::events_of_old::{Priced, PricedV1, PricedV2, appraise, price, price_of_old};
use crate::post::{Answered, Post};
use crate::{Harness, Scene};
use events_core::test_kit::{Fault, Faults, Seen};
use events_sqlx::{Filter, Outbox, OutboxBuilder};

/// The first release, which knows only the first version.
async fn old_release<H: Harness>(scene: &Scene<H>, faults: &Faults) -> Outbox<H::Db> {
    scene.process().await.state(faults.clone()).handler::<price_of_old>().start_idle().await.unwrap()
}

/// The present release, whose handler takes the third version.
async fn new_release<H: Harness>(scene: &Scene<H>, seen: &Seen<Priced>) -> OutboxBuilder<H::Db> {
    scene.process().await.state(seen.clone()).handler::<price>()
}

// Invariant 9.
pub async fn what_an_older_release_left_in_the_outbox_is_read_as_the_new_version<H: Harness>() {
    let (scene, seen) = (Scene::<H>::new().await, Seen::new());
    let old = old_release(&scene, &Faults::none()).await;
    old.run(async |uow| uow.publish(PricedV1 { euros: 7 })).await.unwrap();
    old.shutdown().await;
    let new = new_release(&scene, &seen).await.start().await.unwrap();
    Scene::<H>::until_delivered(&new).await;
    assert_eq!((seen.all(), new.dead_count().await.unwrap()), (vec![Priced::euros(7)], 0));
}

// Invariant 9.
pub async fn every_version_that_this_process_publishes_reaches_the_handler_of_the_newest<H: Harness>() {
    let (scene, seen) = (Scene::<H>::new().await, Seen::new());
    let outbox = new_release(&scene, &seen).await.start().await.unwrap();
    let dollars = Priced { cents: 900, currency: "USD".into() };
    let publish = async |uow: &mut events_sqlx::UnitOfWork<H::Db>| {
        uow.publish(PricedV1 { euros: 7 })?;
        uow.publish(PricedV2 { cents: 800 })?;
        uow.publish(dollars.clone())
    };
    outbox.run(publish).await.unwrap();
    Scene::<H>::until_delivered(&outbox).await;
    let mut prices = seen.all();
    prices.sort_by_key(|price| price.cents);
    assert_eq!(prices, [Priced::euros(7), Priced::euros(8), dollars]);
}

// Invariants 9 and 11.
pub async fn a_dead_letter_of_an_older_release_is_redriven_to_the_new_version<H: Harness>() {
    let (scene, seen, faults) = (Scene::<H>::new().await, Seen::new(), Faults::none());
    faults.next(1, Fault::Terminal);
    let old = old_release(&scene, &faults).await;
    old.run(async |uow| uow.publish(PricedV1 { euros: 7 })).await.unwrap();
    Scene::<H>::drain(&old).await;
    assert_eq!(old.dead_count().await.unwrap(), 1);
    old.shutdown().await;
    let new = new_release(&scene, &seen).await.start().await.unwrap();
    new.dead_letters().redrive(&Filter::all()).await.unwrap();
    Scene::<H>::until_delivered(&new).await;
    assert_eq!((seen.all(), new.dead_count().await.unwrap()), (vec![Priced::euros(7)], 0));
}

// Invariant 9.
pub async fn what_a_broker_kept_from_an_older_release_is_read_as_the_new_version<H: Harness>() {
    let (scene, seen, post) = (Scene::<H>::new().await, Seen::<Priced>::new(), Post::default());
    let builder = scene.process().await.state(seen.clone()).handler::<appraise>().subscribe("suite", post.subscribe());
    let outbox = builder.start().await.unwrap();
    let old = arrived(&PricedV1 { euros: 7 }, None);
    post.deliver(&old);
    idle::<H>(&outbox, &post, 1).await;
    let mut older = (*old).clone();
    older.version = 0;
    post.deliver(&older.into());
    idle::<H>(&outbox, &post, 2).await;
    assert_eq!(seen.all(), [Priced::euros(7)]);
    let answers = post.answers.all();
    assert_eq!(answers[0], Answered::Acked(old.id));
    assert!(matches!(&answers[1], Answered::Buried(_, why) if why.contains("version 0")), "{answers:?}");
}
