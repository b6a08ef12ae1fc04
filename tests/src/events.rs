//! The events and handlers that the suites play with.

use crate::Role;
use events_core::{DeliveryError, DomainEvent, Metadata, State, after_commit, domain_event, subscribe};
use serde::{Deserialize, Serialize};

/// An event without a key.
#[domain_event(topic = "test.noted", local)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// Which one.
    pub n: i64,
}

/// Hears of [`Noted`].
#[after_commit(manual)]
pub async fn note(event: Noted, meta: Metadata, State(role): State<Role<Noted>>) -> Result<(), DeliveryError> {
    role.play(event, meta.attempt).await
}

/// What the sibling of [`note`] remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied(pub i64);

/// Hears of [`Noted`] too.
#[after_commit(manual)]
pub async fn copy(event: Noted, meta: Metadata, State(role): State<Role<Copied>>) -> Result<(), DeliveryError> {
    role.play(Copied(event.n), meta.attempt).await
}

/// Hears of [`Noted`] too, and never fails.
#[after_commit(manual)]
pub async fn book_of_notes(_event: Noted) {}

/// [`note`] after it was renamed.
#[after_commit(manual, name = "note.renamed", renamed_from = "note")]
pub async fn note_renamed(event: Noted, meta: Metadata, State(role): State<Role<Noted>>) -> Result<(), DeliveryError> {
    role.play(event, meta.attempt).await
}

/// An event whose order matters along its line.
#[domain_event(topic = "test.stepped", key = line, local)]
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stepped {
    /// The key.
    pub line: i64,
    /// Its place in the order of commits.
    pub step: i64,
}

/// Follows the steps of a line.
#[after_commit(manual)]
pub async fn follow(event: Stepped, meta: Metadata, State(role): State<Role<Stepped>>) -> Result<(), DeliveryError> {
    role.play(event, meta.attempt).await
}

/// Follows the steps of a line that a broker delivers.
#[subscribe(group = "suite", manual)]
pub async fn tread(event: Stepped, meta: Metadata, State(role): State<Role<Stepped>>) -> Result<(), DeliveryError> {
    role.play(event, meta.attempt).await
}

/// [`follow`] after it was renamed.
#[after_commit(manual, name = "follow.renamed", renamed_from = "follow")]
pub async fn follow_renamed(event: Stepped, meta: Metadata, State(role): State<Role<Stepped>>) -> Result<(), DeliveryError> {
    role.play(event, meta.attempt).await
}

/// What the sibling of [`follow`] remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited(pub Stepped);

/// Follows the steps of a line too.
#[after_commit(manual)]
pub async fn audit(event: Stepped, meta: Metadata, State(role): State<Role<Audited>>) -> Result<(), DeliveryError> {
    role.play(Audited(event), meta.attempt).await
}

/// An event for the handler with a unit of work of its own: it writes `n` to the business table and publishes [`Noted`].
#[domain_event(topic = "test.booked", local)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booked {
    /// What to write.
    pub n: i64,
}

/// Takes what a broker delivers, each number once.
#[subscribe(group = "suite", manual, dedupe = n)]
pub async fn pick(event: Booked, meta: Metadata, State(role): State<Role<Booked>>) -> Result<(), DeliveryError> {
    role.play(event, meta.attempt).await
}

/// An event for a transport; it has a key.
#[domain_event(topic = "test.sent", key = line)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The key.
    pub line: i64,
    /// Its place in the order of commits.
    pub step: i64,
}

/// An event for a transport; it needs room.
#[domain_event(topic = "test.bulky")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heavy {
    /// Which one.
    pub n: i64,
    /// Its weight.
    pub weight: String,
}

/// [`Noted`] as an older release wrote it: the field has another name, so no handler of today can decode it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NotedOfOld {
    /// The number under its old name.
    pub number: i64,
}

/// Declared by hand, because the macro would link it into every process of the suite and nobody may declare a topic twice.
impl DomainEvent for NotedOfOld {
    const TOPIC: &'static str = "test.renumbered";
    const LOCAL: bool = true;
}

/// What became of [`NotedOfOld`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renumbered {
    /// The number.
    pub n: i64,
}

impl DomainEvent for Renumbered {
    const TOPIC: &'static str = "test.renumbered";
    const LOCAL: bool = true;
}

/// Hears of [`Renumbered`]; its payload of old does not fit.
#[after_commit(manual)]
pub async fn renumber(event: Renumbered, meta: Metadata, State(role): State<Role<Renumbered>>) -> Result<(), DeliveryError> {
    role.play(event, meta.attempt).await
}

/// [`Renumbered`] as it was written by the release of old; the target has the same name.
#[after_commit(manual, name = "renumber")]
pub async fn renumber_of_old(_event: NotedOfOld) {}

/// [`Renumbered`] of a newer release than its handler.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RenumberedNext {
    /// The number.
    pub n: i64,
}

impl DomainEvent for RenumberedNext {
    const TOPIC: &'static str = "test.renumbered";
    const VERSION: u16 = 2;
    const SINCE: u16 = 2;
    const LOCAL: bool = true;
}

/// The handler of the newer release; the target has the same name.
#[after_commit(manual, name = "renumber")]
pub async fn renumber_next(event: RenumberedNext, meta: Metadata, State(role): State<Role<Renumbered>>) -> Result<(), DeliveryError> {
    role.play(Renumbered { n: event.n }, meta.attempt).await
}
