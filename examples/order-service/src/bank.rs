//! The bank, as far as a shop sees it: it captures a payment, or declines it. It answers at once; a slow bank would be asked before
//! the unit of work begins, so that the transaction does not wait for it.

/// A card that pays.
pub(crate) const GOOD_CARD: &str = "4242424242424242";
/// A card that is always declined.
pub(crate) const EMPTY_CARD: &str = "4000000000000002";

/// The bank said no.
#[derive(Debug, thiserror::Error)]
#[error("the bank declined the card ending in {ending}")]
pub(crate) struct Declined {
    ending: String,
}

/// A name for one attempt to pay, which the bank will know it by.
pub(crate) fn new_reference() -> String {
    format!("pay_{:016x}", rand::random::<u64>())
}

/// Takes the money that was reserved under `reference`.
pub(crate) fn capture(card: &str, reference: &str, amount_cents: i64) -> Result<(), Declined> {
    tracing::debug!(reference, amount_cents, "capturing a payment");
    if card == EMPTY_CARD {
        let ending = card.chars().skip(card.chars().count().saturating_sub(4)).collect();
        return Err(Declined { ending });
    }
    Ok(())
}
