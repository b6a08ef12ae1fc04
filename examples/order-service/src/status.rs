//! The life of an order: placed, then paid, then shipped; or cancelled before it was paid.

use serde::Serialize;
use std::{fmt, str::FromStr};

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Placed,
    Paid,
    Shipped,
    Cancelled,
}

impl Status {
    const ALL: [Self; 4] = [Self::Placed, Self::Paid, Self::Shipped, Self::Cancelled];

    /// What an order must be to become this; `None` for what it is born as.
    pub(crate) fn follows(self) -> Option<Self> {
        match self {
            Self::Placed => None,
            Self::Paid | Self::Cancelled => Some(Self::Placed),
            Self::Shipped => Some(Self::Paid),
        }
    }

    /// The word that is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| format!("`{text}` is no status of an order"))
    }
}
