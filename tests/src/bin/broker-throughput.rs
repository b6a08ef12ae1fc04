//! How fast the transports are: batches of 100 against one event at a time, and against what one would write by hand with the same client
//! crate. All of it in turns against the same private server, the median of the rounds. Arguments: names of brokers; none for all.
//! `ROUNDS` (default 7) and `EVENTS` (per round and side, default 5,000) make it longer or shorter.

#![allow(clippy::unwrap_used)]
#![recursion_limit = "512"]

use events_core::{Envelope, EventId, Headers, Transport};
use events_tests::{ByHand, OnKafka, OnNats, OnRabbitMq, OnRedis, OnRocketMq};
use std::sync::Arc;
use std::time::Instant;

const BATCH: usize = 100;
/// So many times fewer events are sent one at a time.
const FEWER: usize = 10;
const PAYLOAD: &str = r#"{"order_id":4711,"customer_id":42,"amount_cents":199900,"note":"two tickets, row 7"}"#;

#[tokio::main]
async fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let (rounds, events) = (number("ROUNDS", 7), number("EVENTS", 5_000));
    println!("{events} events of {} bytes in each of {rounds} rounds, events per second:\n", PAYLOAD.len());
    println!("| broker | one at a time | batches of {BATCH} | by hand | batches to one at a time | batches to by hand |");
    println!("|---|---|---|---|---|---|");
    macro_rules! measure {
        ($($name:literal => $harness:ty),+ $(,)?) => {
            $(if wanted.is_empty() || wanted.iter().any(|name| name == $name) {
                println!("| {} | {}", $name, measure::<$harness>(rounds, events).await);
            })+
        };
    }
    measure! { "nats" => OnNats, "redis" => OnRedis, "kafka" => OnKafka, "rabbitmq" => OnRabbitMq, "rocketmq" => OnRocketMq }
}

/// The figures of a broker, as the rest of a row.
async fn measure<B: ByHand>(rounds: usize, events: usize) -> String {
    let broker = B::start().await;
    let transport = broker.transport().await;
    let client = broker.client().await;
    let (mut singly, mut ours, mut by_hand) = (Vec::new(), Vec::new(), Vec::new());
    // Connections are made and code is loaded in a round that does not count.
    for round in 0..=rounds {
        let batches: Vec<_> = (0..events / BATCH).map(|_| batch()).collect();
        let sides: [usize; 3] = if round % 2 == 0 { [0, 1, 2] } else { [2, 1, 0] };
        for side in sides {
            let begun = Instant::now();
            let sent = match side {
                0 => {
                    let few = batches.iter().flatten().take(events / FEWER);
                    for envelope in few.clone() {
                        confirmed(transport.send(std::slice::from_ref(envelope)).await);
                    }
                    few.count()
                }
                1 => {
                    for batch in &batches {
                        confirmed(transport.send(&renewed(batch)).await);
                    }
                    batches.len() * BATCH
                }
                _ => {
                    for batch in &batches {
                        B::send(&client, &renewed(batch)).await;
                    }
                    batches.len() * BATCH
                }
            };
            let rate = sent as f64 / begun.elapsed().as_secs_f64();
            if round > 0 {
                [&mut singly, &mut ours, &mut by_hand][side].push(rate);
            }
        }
    }
    let to_single = median(ours.iter().zip(&singly).map(|(ours, single)| ours / single));
    let to_hand = median(ours.iter().zip(&by_hand).map(|(ours, hand)| ours / hand));
    let [singly, ours, by_hand] = [singly, ours, by_hand].map(median);
    format!("{singly:.0} | {ours:.0} | {by_hand:.0} | {to_single:.1} | {to_hand:.2} |")
}

fn batch() -> Vec<Arc<Envelope>> {
    let envelope = |_| Envelope {
        id: EventId::now(),
        topic: "test.counted".into(),
        version: 1,
        key: None,
        occurred_at: time::OffsetDateTime::now_utc(),
        source: "/tests".into(),
        content_type: "application/json".into(),
        headers: Headers::new(),
        payload: PAYLOAD.into(),
    };
    (0..BATCH).map(envelope).map(Arc::new).collect()
}

/// The same events under other ids: a broker may drop what it has stored already.
fn renewed(batch: &[Arc<Envelope>]) -> Vec<Arc<Envelope>> {
    batch.iter().map(|envelope| Arc::new(Envelope { id: EventId::now(), ..(**envelope).clone() })).collect()
}

fn confirmed(results: Vec<Result<(), events_core::DeliveryError>>) {
    for result in results {
        result.unwrap();
    }
}

fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}
