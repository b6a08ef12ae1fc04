//! An event in three versions, as three releases of a program know it.

use events_core::test_kit::{Faults, Seen};
use events_core::{DeliveryError, State, Upcast, after_commit, domain_event, subscribe};
use serde::{Deserialize, Serialize};

/// The price of something, in whole euros.
#[domain_event(topic = "test.priced", local)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricedV1 {
    /// The price.
    pub euros: i64,
}

/// The price of something, in cents.
#[domain_event(topic = "test.priced", version = 2, upcasts = PricedV1, local)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricedV2 {
    /// The price.
    pub cents: i64,
}

/// The price of something, in the hundredth part of a currency.
#[domain_event(topic = "test.priced", version = 3, upcasts = PricedV2, local)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priced {
    /// The price.
    pub cents: i64,
    /// Its currency.
    pub currency: String,
}

impl Upcast<PricedV1> for PricedV2 {
    fn upcast(old: PricedV1) -> Self {
        Self { cents: old.euros * 100 }
    }
}

impl Upcast<PricedV2> for Priced {
    fn upcast(old: PricedV2) -> Self {
        Self { cents: old.cents, currency: "EUR".into() }
    }
}

impl Priced {
    /// A price in euros.
    #[must_use]
    pub fn euros(euros: i64) -> Self {
        Self { cents: euros * 100, currency: "EUR".into() }
    }
}

/// Hears of prices.
#[after_commit(manual)]
pub async fn price(event: Priced, State(seen): State<Seen<Priced>>) {
    seen.push(event);
}

/// [`price`] of the first release.
#[after_commit(manual, name = "price")]
pub async fn price_of_old(_event: PricedV1, State(faults): State<Faults>) -> Result<(), DeliveryError> {
    faults.strike().await
}

/// Hears of prices that a broker delivers.
#[subscribe(group = "suite", manual)]
pub async fn appraise(event: Priced, State(seen): State<Seen<Priced>>) {
    seen.push(event);
}
