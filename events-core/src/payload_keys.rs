//! Encryption at rest: payloads are sealed before they are written to the database, and opened when they are read. AES-256-GCM.

use crate::sealed::Sealed;
use crate::{BoxError, BuildError, Envelope};
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use rand::{TryRngCore, rngs::OsRng};
use std::{borrow::Cow, fmt, sync::Arc};

/// How long a nonce is, in bytes. It stands before the ciphertext.
const NONCE: usize = 12;
/// How long the id of a key may be: it shares a column of 255 characters with the media type.
const MAX_ID: usize = 64;

/// A key of 32 bytes. `Debug` does not show it, and the cipher clears its copy when it is dropped.
#[derive(Clone)]
pub struct PayloadKey(Aes256Gcm);

impl PayloadKey {
    /// A key from its base64 text, with or without a line end around it.
    ///
    /// ```
    /// use events_core::PayloadKey;
    /// // openssl rand -base64 32
    /// let key = PayloadKey::from_base64("lZYFlvYfFoJcyC4eDyZ2a9ZTN4SzPU4jHZRjvuQm6Kw=").unwrap();
    /// assert_eq!(format!("{key:?}"), "PayloadKey(..)");
    /// assert!(PayloadKey::from_base64("c2hvcnQ=").is_err());
    /// ```
    ///
    /// # Errors
    /// It is no base64 of 32 bytes. The error does not quote it.
    pub fn from_base64(text: &str) -> Result<Self, BuildError> {
        let refused = |value: String| BuildError::InvalidOption {
            option: "the encryption key",
            value,
            rule: "it must be the base64 text of 32 random bytes, such as `openssl rand -base64 32` prints",
        };
        // The error of the decoder names a byte of the key.
        let bytes = BASE64_STANDARD.decode(text.trim()).map_err(|_| refused("a text that is no base64".into()))?;
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| refused(format!("{} bytes", bytes.len())))?;
        Ok(Self::from(key))
    }
}

impl From<[u8; 32]> for PayloadKey {
    fn from(key: [u8; 32]) -> Self {
        Self(Aes256Gcm::new(&key.into()))
    }
}

impl fmt::Debug for PayloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PayloadKey(..)")
    }
}

/// The keys that payloads are encrypted with in the database: one for what is written from now on, and the earlier ones, for what still
/// waits. Each has an id, which is stored in clear beside the payload.
///
/// ```
/// use events_core::{PayloadKey, PayloadKeys};
/// # let (key, old_key) = ([7; 32], [8; 32]);
/// let keys = PayloadKeys::new("2026-11", key).and_old("2026-05", old_key);
/// // Outbox::builder(pool).encrypt(keys) ..
/// assert_eq!(keys.current(), "2026-11");
/// ```
#[derive(Clone)]
pub struct PayloadKeys(Arc<Vec<(String, PayloadKey)>>);

impl PayloadKeys {
    /// Encrypts with `key`, whose id is `id`: 1 to 64 ASCII letters, digits, `_`, `.` and `-`. An id never stands for another key.
    #[must_use]
    pub fn new(id: impl Into<String>, key: impl Into<PayloadKey>) -> Self {
        Self(Arc::new(vec![(id.into(), key.into())]))
    }

    /// Also opens what an earlier key has sealed.
    #[must_use]
    pub fn and_old(mut self, id: impl Into<String>, key: impl Into<PayloadKey>) -> Self {
        Arc::make_mut(&mut self.0).push((id.into(), key.into()));
        self
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn current(&self) -> &str {
        &self.0[0].0
    }

    /// Checks the ids.
    ///
    /// # Errors
    /// The first one that is malformed or given twice.
    pub fn check(&self) -> Result<(), BuildError> {
        let refused =
            |value: &str, rule| Err(BuildError::InvalidOption { option: "the id of an encryption key", value: value.to_owned(), rule });
        for (number, (id, _)) in self.0.iter().enumerate() {
            let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
            if id.is_empty() || id.len() > MAX_ID || !id.chars().all(is_word) {
                return refused(id, "it has 1 to 64 ASCII letters, digits, `_`, `.` and `-`");
            }
            if self.0[..number].iter().any(|(other, _)| other == id) {
                return refused(id, "each key has an id of its own");
            }
        }
        Ok(())
    }

    /// The envelope as it is stored: its payload sealed with the current key, and bound to event, topic and version. Each call takes another
    /// nonce.
    ///
    /// # Errors
    /// The operating system has no randomness, or the payload is too large for the cipher (64 GiB).
    pub fn seal(&self, envelope: &Envelope) -> Result<Envelope, BoxError> {
        let (id, PayloadKey(cipher)) = &self.0[0];
        let content_type = Sealed { key: id, inside: &envelope.content_type }.content_type();
        let mut nonce = [0; NONCE];
        OsRng.try_fill_bytes(&mut nonce)?;
        let aad = bound_to(envelope, &content_type);
        let sealed = cipher
            .encrypt(&nonce.into(), Payload { msg: &envelope.payload, aad: &aad })
            .map_err(|_| "the payload is too large for the cipher")?;
        let payload = Bytes::from([&nonce[..], &sealed].concat());
        Ok(Envelope { content_type: Cow::Owned(content_type), payload, ..envelope.clone() })
    }

    /// The envelope as it was before it was stored. What is in clear, and what was sealed with a key that is not here, stays as it is; see
    /// [`Envelope::sealed_with`].
    ///
    /// # Errors
    /// The key is here, but does not open the payload: it was changed, or it belongs to another row.
    pub fn open(&self, envelope: Envelope) -> Result<Envelope, String> {
        let Some(Sealed { key, inside }) = Sealed::of(&envelope.content_type) else { return Ok(envelope) };
        let Some((_, PayloadKey(cipher))) = self.0.iter().find(|(id, _)| id == key) else { return Ok(envelope) };
        let refused = || {
            format!("key `{key}` does not open the payload: it was changed, it belongs to another row, or the id stands for another key")
        };
        let (nonce, sealed) = envelope.payload.split_at_checked(NONCE).ok_or_else(refused)?;
        let nonce = <[u8; NONCE]>::try_from(nonce).map_err(|_| refused())?;
        let aad = bound_to(&envelope, &envelope.content_type);
        let payload = cipher.decrypt(&nonce.into(), Payload { msg: sealed, aad: &aad }).map_err(|_| refused())?;
        let content_type = match inside {
            crate::envelope::JSON => Cow::Borrowed(crate::envelope::JSON),
            other => Cow::Owned(other.to_owned()),
        };
        Ok(Envelope { content_type, payload: payload.into(), ..envelope })
    }
}

/// What a sealed payload belongs to. Each part is of fixed length or follows its length, so no two rows have the same.
fn bound_to(envelope: &Envelope, content_type: &str) -> Vec<u8> {
    let topic = envelope.topic.as_bytes();
    [
        b"events-payload-1".as_slice(),
        envelope.id.0.as_bytes(),
        &envelope.version.to_be_bytes(),
        &(topic.len() as u64).to_be_bytes(),
        topic,
        content_type.as_bytes(),
    ]
    .concat()
}

/// The ids, and none of the keys.
impl fmt::Debug for PayloadKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventId, Headers};
    use time::OffsetDateTime;

    fn envelope() -> Envelope {
        Envelope {
            id: EventId::now(),
            topic: Cow::Borrowed("card.charged"),
            version: 1,
            key: Some("7".into()),
            occurred_at: OffsetDateTime::UNIX_EPOCH,
            source: "/shop".into(),
            content_type: Cow::Borrowed("application/json"),
            headers: Headers::new(),
            payload: Bytes::from_static(br#"{"card":"4111"}"#),
        }
    }

    #[test]
    fn what_is_sealed_is_opened_and_says_nothing_in_between() {
        let (keys, clear) = (PayloadKeys::new("a", [1; 32]), envelope());
        let sealed = keys.seal(&clear).unwrap();
        assert_eq!(sealed.sealed_with(), Some("a"));
        assert!(!sealed.payload.windows(4).any(|bytes| bytes == b"4111"));
        assert_eq!(sealed.payload.len(), clear.payload.len() + NONCE + 16);
        assert_eq!(sealed.masked(), "<encrypted with key `a`>");
        assert_eq!(keys.open(sealed).unwrap(), clear);
    }

    #[test]
    fn the_same_payload_is_never_sealed_to_the_same_bytes() {
        let (keys, clear) = (PayloadKeys::new("a", [1; 32]), envelope());
        let (one, other) = (keys.seal(&clear).unwrap(), keys.seal(&clear).unwrap());
        assert_ne!(one.payload[..NONCE], other.payload[..NONCE], "the nonces differ");
        assert_ne!(one.payload[NONCE..], other.payload[NONCE..]);
    }

    #[test]
    fn what_an_earlier_key_sealed_stays_readable_and_new_payloads_take_the_new_key() {
        let before = PayloadKeys::new("a", [1; 32]);
        let after = PayloadKeys::new("b", [2; 32]).and_old("a", [1; 32]);
        let clear = envelope();
        assert_eq!(after.open(before.seal(&clear).unwrap()).unwrap(), clear);
        assert_eq!(after.seal(&clear).unwrap().sealed_with(), Some("b"));
    }

    #[test]
    fn what_is_in_clear_or_of_an_unknown_key_stays_as_it_is() {
        let clear = envelope();
        let foreign = PayloadKeys::new("x", [9; 32]).seal(&clear).unwrap();
        let keys = PayloadKeys::new("a", [1; 32]);
        assert_eq!(keys.open(clear.clone()).unwrap(), clear);
        assert_eq!(keys.open(foreign.clone()).unwrap(), foreign);
        assert_eq!(foreign.sealed_with(), Some("x"));
    }

    #[test]
    fn a_payload_opens_in_its_own_row_only() {
        let keys = PayloadKeys::new("a", [1; 32]);
        let sealed = keys.seal(&envelope()).unwrap();
        let other_id = Envelope { id: EventId::now(), ..sealed.clone() };
        let other_topic = Envelope { topic: "card.refunded".into(), ..sealed.clone() };
        let other_version = Envelope { version: 2, ..sealed.clone() };
        let other_inside = Envelope { content_type: sealed.content_type.replace("json", "xml").into(), ..sealed.clone() };
        let mut changed = sealed.payload.to_vec();
        changed[NONCE] ^= 1;
        let changed = Envelope { payload: changed.into(), ..sealed.clone() };
        let cut = Envelope { payload: sealed.payload.slice(..NONCE - 1), ..sealed.clone() };
        let empty = Envelope { payload: Bytes::new(), ..sealed.clone() };
        for wrong in [other_id, other_topic, other_version, other_inside, changed, cut, empty] {
            let error = keys.open(wrong).unwrap_err();
            assert!(error.contains("`a`"), "{error}");
        }
        let same_id_other_key = PayloadKeys::new("a", [2; 32]);
        assert!(same_id_other_key.open(sealed).is_err());
    }

    #[test]
    fn keys_are_not_shown() {
        let keys = PayloadKeys::new("a", [0xAB; 32]).and_old("b", [0xCD; 32]);
        assert_eq!(format!("{keys:?}"), r#"["a", "b"]"#);
        let error = PayloadKey::from_base64("not!base64").unwrap_err().to_string();
        assert!(!error.contains("not!base64"), "{error}");
    }

    #[test]
    fn ids_are_checked() {
        assert!(PayloadKeys::new("2026-11", [1; 32]).and_old("2026-05", [1; 32]).check().is_ok());
        for id in ["", "a b", "a;b", "ä", &"x".repeat(65)] {
            assert!(PayloadKeys::new(id, [1; 32]).check().is_err(), "{id}");
        }
        assert!(PayloadKeys::new("a", [1; 32]).and_old("a", [2; 32]).check().is_err());
    }
}
