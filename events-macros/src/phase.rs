//! The five moments at which a handler may run, and what each of them allows.

use crate::attribute::{Key, Keys};
use proc_macro2::TokenStream;
use quote::quote;

/// When a handler runs; the mirror of `events_core::Phase`.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Phase {
    BeforeCommit,
    AfterCommit,
    AfterRollback,
    AfterCompletion,
    Subscribe,
}

const NAME: Key = Key { name: "name", example: "name = \"issue_ticket\"", repeatable: false };
const MANUAL: Key = Key { name: "manual", example: "manual", repeatable: false };

const TOPIC: (&str, &str) = ("topic", "a handler's topic is that of its event; write it in `#[domain_event(topic = \"...\")]`");

const AFTER_COMMIT: Keys = Keys {
    of: "after_commit",
    known: &[
        NAME,
        Key { name: "renamed_from", example: "renamed_from = \"old_name\"", repeatable: true },
        Key { name: "attempts", example: "attempts = 5", repeatable: false },
        Key { name: "backoff", example: "backoff = \"1s..10m\"", repeatable: false },
        Key { name: "timeout", example: "timeout = \"30s\"", repeatable: false },
        Key { name: "concurrency", example: "concurrency = 8", repeatable: false },
        Key { name: "dead_letters", example: "dead_letters = \"block_key\"", repeatable: false },
        Key { name: "idempotent", example: "idempotent", repeatable: false },
        Key { name: "at_most_once", example: "at_most_once", repeatable: false },
        MANUAL,
    ],
    refused: &[TOPIC],
};

const ONCE_INSIDE: &str = "a `#[before_commit]` handler runs once, inside the transaction, and its error rolls everything back; remove this, or use `#[after_commit]`";
const ONCE_IN_MEMORY: &str = "this handler runs once, in memory, and is not retried; remove this, or use `#[after_commit]`";
const NOTHING_WAITS: &str = "no delivery waits under this handler's name, so it can be renamed freely; remove this";

const BEFORE_COMMIT: Keys = Keys {
    of: "before_commit",
    known: &[NAME, MANUAL],
    refused: &[
        TOPIC,
        ("attempts", ONCE_INSIDE),
        ("backoff", ONCE_INSIDE),
        ("timeout", ONCE_INSIDE),
        ("concurrency", ONCE_INSIDE),
        ("dead_letters", ONCE_INSIDE),
        ("idempotent", ONCE_INSIDE),
        ("at_most_once", ONCE_INSIDE),
        ("renamed_from", NOTHING_WAITS),
    ],
};

const AFTER_ROLLBACK: Keys = Keys { of: "after_rollback", ..IN_MEMORY };
const AFTER_COMPLETION: Keys = Keys { of: "after_completion", ..IN_MEMORY };
const IN_MEMORY: Keys = Keys {
    of: "",
    known: &[NAME, MANUAL],
    refused: &[
        TOPIC,
        ("attempts", ONCE_IN_MEMORY),
        ("backoff", ONCE_IN_MEMORY),
        ("timeout", ONCE_IN_MEMORY),
        ("concurrency", ONCE_IN_MEMORY),
        ("dead_letters", ONCE_IN_MEMORY),
        ("idempotent", ONCE_IN_MEMORY),
        ("at_most_once", ONCE_IN_MEMORY),
        ("renamed_from", NOTHING_WAITS),
    ],
};

const BY_THE_BROKER: &str = "how often and when an event comes again is said where the subscription is opened: `.retry(..)`; remove this";
const BY_THE_INBOX: &str = "what a `#[subscribe]` handler writes happens exactly once, because the inbox knows what it has had; remove this, and have effects elsewhere in an `#[after_commit]` handler of an event that this one publishes";
const SUBSCRIBE: Keys = Keys {
    of: "subscribe",
    known: &[
        Key { name: "group", example: "group = \"ticketing\"", repeatable: false },
        NAME,
        Key { name: "dedupe", example: "dedupe = order_id", repeatable: false },
        Key { name: "timeout", example: "timeout = \"30s\"", repeatable: false },
        MANUAL,
    ],
    refused: &[
        TOPIC,
        ("attempts", BY_THE_BROKER),
        ("backoff", BY_THE_BROKER),
        ("idempotent", BY_THE_INBOX),
        ("at_most_once", BY_THE_INBOX),
        ("dead_letters", "where dead letters go is the subscription's to say; remove this"),
        ("concurrency", "a subscription handles 16 events at once, of one key one after the other; remove this"),
        ("renamed_from", "the inbox knows the handler by its name: keep the old one with `name = \"..\"`; remove this"),
    ],
};

impl Phase {
    pub(crate) const ALL: [Self; 5] = [Self::BeforeCommit, Self::AfterCommit, Self::AfterRollback, Self::AfterCompletion, Self::Subscribe];

    pub(crate) fn keys(self) -> &'static Keys {
        match self {
            Self::BeforeCommit => &BEFORE_COMMIT,
            Self::AfterCommit => &AFTER_COMMIT,
            Self::AfterRollback => &AFTER_ROLLBACK,
            Self::AfterCompletion => &AFTER_COMPLETION,
            Self::Subscribe => &SUBSCRIBE,
        }
    }

    /// The name of the macro, such as `after_commit`.
    pub(crate) fn macro_name(self) -> &'static str {
        self.keys().of
    }

    /// The variant of `events_core::Phase`.
    pub(crate) fn variant(self) -> TokenStream {
        match self {
            Self::BeforeCommit => quote!(BeforeCommit),
            Self::AfterCommit => quote!(AfterCommit),
            Self::AfterRollback => quote!(AfterRollback),
            Self::AfterCompletion => quote!(AfterCompletion),
            Self::Subscribe => quote!(Subscribe),
        }
    }

    /// Whether the handler borrows its event, which the transaction still has to write.
    pub(crate) fn borrows_event(self) -> bool {
        self == Self::BeforeCommit
    }

    /// Whether a transaction is there for the handler to work in.
    pub(crate) fn has_unit_of_work(self) -> bool {
        matches!(self, Self::BeforeCommit | Self::AfterCommit | Self::Subscribe)
    }
}
