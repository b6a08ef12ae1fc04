//! The two banks, and what differs between them before the first event.

use crate::{account::Opening, plan};
use wire::Consumer;

/// One of the two services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Bank1,
    Bank2,
}

impl Role {
    pub(crate) const BOTH: [Self; 2] = [Self::Bank1, Self::Bank2];

    /// Its name: of its database, and of its group of handlers.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bank1 => "bank1",
            Self::Bank2 => "bank2",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Bank1 => Self::Bank2,
            Self::Bank2 => Self::Bank1,
        }
    }

    /// How it names itself in its events; `pair` is the name of both.
    pub(crate) fn source(self, pair: &str) -> String {
        format!("/{pair}/{}", self.as_str())
    }

    /// As what a broker knows it.
    pub(crate) fn consumer(self, pair: &str) -> Consumer {
        let topics = match self {
            // One pattern for both answers; it also brings what bank1 has asked itself, which is none of its business.
            Self::Bank1 => "transfer.*",
            Self::Bank2 => "transfer.requested",
        };
        Consumer { name: format!("{pair}-{}", self.as_str()), topics }
    }

    pub(crate) fn tables(self) -> &'static str {
        match self {
            Self::Bank1 => include_str!("../sql/bank1.sql"),
            Self::Bank2 => include_str!("../sql/bank2.sql"),
        }
    }

    /// All the money is at bank1. Of bank2's accounts one in twenty is closed.
    pub(crate) fn opening(self) -> Opening {
        match self {
            Self::Bank1 => Opening { first: plan::FIRST_FROM, accounts: plan::ACCOUNTS, cents: plan::OPENING_CENTS, closed_every: 0 },
            Self::Bank2 => Opening { first: plan::FIRST_TO, accounts: plan::ACCOUNTS, cents: 0, closed_every: 20 },
        }
    }
}
