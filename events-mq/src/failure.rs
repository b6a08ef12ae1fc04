//! A failure at a broker, by what is to be done about it.

use crate::ConnectError;
use events_core::DeliveryError;

/// What went wrong, to be told to one event or to a whole batch.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    remedy: Remedy,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    /// The broker comes back.
    Wait,
    /// Somebody has to change something.
    Repair,
    /// Trying again may help.
    Retry,
}

impl Failure {
    /// The broker as a whole is away.
    pub(crate) fn away(text: impl Into<String>) -> Self {
        Self { remedy: Remedy::Wait, text: text.into() }
    }

    /// It will fail until somebody changes something.
    pub(crate) fn hopeless(text: impl Into<String>) -> Self {
        Self { remedy: Remedy::Repair, text: text.into() }
    }

    /// It may work the next time.
    pub(crate) fn passing(text: impl Into<String>) -> Self {
        Self { remedy: Remedy::Retry, text: text.into() }
    }

    /// Whether the broker as a whole is away.
    #[cfg(feature = "rocketmq")]
    pub(crate) fn is_away(&self) -> bool {
        self.remedy == Remedy::Wait
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// For who delivers.
    pub(crate) fn for_delivery(&self) -> DeliveryError {
        match self.remedy {
            Remedy::Wait => DeliveryError::unavailable(self.text.clone()),
            Remedy::Repair => DeliveryError::terminal(self.text.clone()),
            Remedy::Retry => self.text.clone().into(),
        }
    }

    /// For who starts.
    pub(crate) fn for_start(self, broker: &'static str, address: &str) -> ConnectError {
        match self.remedy {
            Remedy::Wait => ConnectError::Unreachable { broker, address: address.to_owned(), reason: self.text },
            Remedy::Repair | Remedy::Retry => ConnectError::Topology(self.text),
        }
    }
}
