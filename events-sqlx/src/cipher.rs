//! How payloads are stored: in clear, or sealed. Between the rows and everything else, so that nobody else has to know.

#[cfg(feature = "encryption")]
use events_core::PayloadKeys;
use events_core::{Envelope, Error, HandOver};

/// Seals what is about to be stored, and opens what was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cipher {
    #[cfg(feature = "encryption")]
    keys: Option<PayloadKeys>,
}

#[cfg(feature = "encryption")]
impl Cipher {
    pub(crate) fn with(keys: Option<PayloadKeys>) -> Self {
        Self { keys }
    }
}

impl Cipher {
    /// Makes the rows of a unit of work what they are in the database. What is handed over from memory stays in clear.
    pub(crate) fn seal(&self, hand_over: &mut HandOver) -> Result<(), Error> {
        #[cfg(feature = "encryption")]
        if let Some(keys) = &self.keys {
            return hand_over.seal(keys);
        }
        let _ = hand_over;
        Ok(())
    }

    /// The envelope in clear. Without its key it stays sealed, and says so by its media type; an error is only what no key can mend.
    pub(crate) fn open(&self, envelope: Envelope) -> Result<Envelope, String> {
        #[cfg(feature = "encryption")]
        if let Some(keys) = &self.keys {
            return keys.open(envelope);
        }
        Ok(envelope)
    }
}
