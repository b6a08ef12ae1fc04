//! What subscriptions to all brokers share: a broker brings a [`Source`], and gets a [`Feed`] of events that goes on through outages,
//! whose events are acknowledged, come again or become dead letters.

mod acknowledgement;
mod feed;
mod poison;
mod source;

pub(crate) use feed::Feed;
pub(crate) use poison::{Poison, one_line};
pub(crate) use source::{Broken, Consumer, Opening, Reading, Source};
