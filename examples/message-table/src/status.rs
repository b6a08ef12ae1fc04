//! The life of a row of the message table: pending, then processing, then done. It never goes back.

use std::str::FromStr;

/// Where an order stands on its way to the warehouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// Committed; the broker does not have it yet.
    Pending,
    /// The broker has taken it.
    Processing,
    /// The warehouse has said that it is done.
    Done,
}

impl Status {
    const ALL: [Self; 3] = [Self::Pending, Self::Processing, Self::Done];

    /// The word that is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Done => "done",
        }
    }

    /// Whether a row may go from here to there. Whoever comes late or again finds that it may not, and that is all right: the answer of the
    /// warehouse may be quicker than the broker's confirmation.
    pub(crate) fn may_become(self, wanted: Self) -> bool {
        self < wanted
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| format!("`{text}` is no status of an order"))
    }
}

#[cfg(test)]
mod tests {
    use super::Status::{self, Done, Pending, Processing};

    #[test]
    fn it_goes_forward_only_and_may_skip_a_step() {
        let allowed: Vec<(Status, Status)> =
            Status::ALL.into_iter().flat_map(|from| Status::ALL.map(|to| (from, to))).filter(|(from, to)| from.may_become(*to)).collect();
        assert_eq!(allowed, [(Pending, Processing), (Pending, Done), (Processing, Done)]);
    }

    #[test]
    fn words_are_read_back() {
        assert!(Status::ALL.into_iter().all(|status| status.as_str().parse() == Ok(status)));
        assert!("lost".parse::<Status>().is_err());
    }
}
