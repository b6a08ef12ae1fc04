//! Proves that a request comes from who knows the secret, and that it is new: the scheme of Standard Webhooks.

use super::json::from_json;
use crate::{ConnectError, headers::NotAnEvent, options};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use events_core::Envelope;
use reqwest::header::HeaderMap;
use standardwebhooks::{Webhook as Key, WebhookError};
use std::{fmt, sync::Arc};

const PREFIX: &str = "whsec_";

/// Secrets, of which the newest stands first. Nothing shows them.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<Arc<Key>>);

impl Secrets {
    /// Reads `whsec_` and 24 to 64 bytes in Base64.
    pub(super) fn add(&mut self, secret: &str) -> Result<(), ConnectError> {
        let malformed = |what: String| options::invalid("a secret", what, "it must be `whsec_` and 24 to 64 bytes in Base64");
        let encoded = secret.trim().strip_prefix(PREFIX).ok_or_else(|| malformed("a text without `whsec_`".to_owned()))?;
        let bytes = BASE64.decode(encoded).map_err(|_| malformed("no Base64".to_owned()))?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(malformed(format!("{} bytes long", bytes.len())));
        }
        let key = Key::from_bytes(bytes).map_err(|_| malformed("refused".to_owned()))?;
        self.0.push(Arc::new(key));
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One signature per secret, separated by blanks.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Result<String, WebhookError> {
        let signatures: Result<Vec<_>, _> = self.0.iter().map(|key| key.sign(id, timestamp, body)).collect();
        Ok(signatures?.join(" "))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

/// The other side: tells whether a request comes from who knows a secret, and reads its event.
///
/// The body must be the bytes that arrived, not JSON that was read and written again.
///
/// ```
/// use events_mq::webhook::{HeaderMap, Rejected, Verifier};
///
/// // During a rotation: the new secret and the old one.
/// let verifier = Verifier::new(["whsec_BgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgY=", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"])?;
///
/// // What a web framework hands over.
/// let (headers, body) = (HeaderMap::new(), b"{}");
/// assert!(matches!(verifier.verify(&headers, body), Err(Rejected::Unproven(_))));
/// # Ok::<(), events_mq::ConnectError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Verifier(Secrets);

/// Why a request is not believed, or not understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// None of the secrets made its signature, or it is more than 5 minutes old or early. Answer 401.
    #[error("the request is not signed as it should be: {0}")]
    Unproven(String),
    /// It is signed, but no event. Answer 400.
    #[error(transparent)]
    NotAnEvent(#[from] NotAnEvent),
}

impl Verifier {
    /// Believes whoever knows one of the secrets.
    ///
    /// # Errors
    /// A secret is malformed, or there is none.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, ConnectError> {
        let mut known = Secrets::default();
        for secret in secrets {
            known.add(secret.as_ref())?;
        }
        if known.is_empty() {
            return Err(options::invalid("the list of secrets", "empty", "a verifier needs one"));
        }
        Ok(Self(known))
    }

    /// The event of a request. Whoever gets one with an id that it knows has got it twice.
    ///
    /// # Errors
    /// Nobody who knows a secret has signed it within the last 5 minutes, or it holds no event.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Envelope, Rejected> {
        let mut reason = String::new();
        for key in &self.0.0 {
            match key.verify(body, headers) {
                Ok(()) => return Ok(from_json(body)?),
                Err(error) => reason = error.to_string(),
            }
        }
        Err(Rejected::Unproven(reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    #[test]
    fn the_example_of_the_scheme_is_signed_as_it_says() {
        let mut secrets = Secrets::default();
        secrets.add(SECRET).unwrap();
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let signed = secrets.sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body).unwrap();
        assert_eq!(signed, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
        secrets.add(&format!("whsec_{}", BASE64.encode([7; 32]))).unwrap();
        let both = secrets.sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body).unwrap();
        assert!(both.starts_with(&format!("{signed} v1,")), "{both}");
    }

    #[test]
    fn a_malformed_secret_is_refused_and_never_shown() {
        let short = format!("whsec_{}", BASE64.encode("s3cret"));
        let long = format!("whsec_{}", BASE64.encode([b'x'; 65]));
        for secret in ["s3cretC2FVsBQIhrscChlQIMV", "whsec_s3cret*", &short, &long] {
            let mut secrets = Secrets::default();
            let said = secrets.add(secret).unwrap_err().to_string();
            assert!(said.contains("`whsec_` and 24 to 64 bytes") && !said.contains(&secret[6..]) && !said.contains("s3cret"), "{said}");
            assert!(secrets.is_empty());
        }
        let said = Verifier::new::<&str>([]).unwrap_err().to_string();
        assert!(said.contains("a verifier needs one"), "{said}");
        assert_eq!(format!("{:?}", Verifier::new([SECRET]).unwrap()), "Verifier(1 secrets)");
    }
}
