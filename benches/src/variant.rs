//! The sides of a comparison.

use std::fmt;

/// One side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// The business transaction without any event.
    Bare,
    /// What a careful engineer writes by hand.
    Floor,
    /// This library.
    Ours,
    /// Another library, by its crate's name.
    Peer(&'static str),
}

impl Variant {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Floor => "floor",
            Self::Ours => "ours",
            Self::Peer(name) => name,
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
