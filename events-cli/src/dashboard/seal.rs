//! What only this server can have made: tokens of forms, and cookies of those who have logged in.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

/// How long a login lasts, in seconds.
pub(super) const LOGIN: i64 = 12 * 3_600;

/// A key that nobody else knows.
pub(super) struct Seal([u8; 32]);

impl Seal {
    /// A key of its own; what it sealed is void after a restart.
    pub(super) fn fresh() -> Self {
        Self(rand::random())
    }

    /// The same key for the same secret, so that several servers accept what one of them sealed.
    pub(super) fn of(secret: &str) -> Self {
        Self(Sha256::digest(format!("outbox dashboard\0{secret}")).into())
    }

    fn of_text(&self, text: &str) -> String {
        // A key of any length is taken.
        Hmac::<Sha256>::new_from_slice(&self.0).map_or_else(
            |_| String::new(),
            |mut mac| {
                mac.update(text.as_bytes());
                mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
            },
        )
    }

    /// The token of a form that is shown to the browser with this cookie.
    pub(super) fn form_token(&self, cookie: &str) -> String {
        self.of_text(&format!("form\0{cookie}"))
    }

    /// Whether a form came from a page that was shown to this browser.
    pub(super) fn is_form_token(&self, cookie: &str, token: &str) -> bool {
        !cookie.is_empty() && same(&self.form_token(cookie), token)
    }

    /// The cookie of somebody who has just logged in.
    pub(super) fn login(&self, now: OffsetDateTime) -> String {
        let expires = now.unix_timestamp() + LOGIN;
        format!("{expires}.{}", self.of_text(&format!("login\0{expires}")))
    }

    /// Whether the cookie is that of somebody who has logged in.
    pub(super) fn is_login(&self, cookie: &str, now: OffsetDateTime) -> bool {
        let Some((expires, seal)) = cookie.split_once('.') else { return false };
        let in_time = expires.parse::<i64>().is_ok_and(|expires| now.unix_timestamp() < expires);
        in_time && same(&self.of_text(&format!("login\0{expires}")), seal)
    }
}

/// Compares secrets in a time that says nothing about them.
pub(super) fn same(one: &str, other: &str) -> bool {
    Sha256::digest(one).ct_eq(&Sha256::digest(other)).into()
}

/// A cookie's value that nobody can guess.
pub(super) fn nonce() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_by_somebody_else_or_for_somebody_else_is_refused() {
        let (seal, other) = (Seal::fresh(), Seal::fresh());
        let token = seal.form_token("a");
        assert!(seal.is_form_token("a", &token) && !seal.is_form_token("b", &token) && !other.is_form_token("a", &token));
        assert!(!seal.is_form_token("", &seal.form_token("")), "without a cookie there is no form");
        assert!(Seal::of("s").is_form_token("a", &Seal::of("s").form_token("a")));
    }

    #[test]
    fn a_login_ends() {
        let (seal, now) = (Seal::fresh(), OffsetDateTime::now_utc());
        let cookie = seal.login(now);
        let later = |seconds| now + time::Duration::seconds(seconds);
        assert!(seal.is_login(&cookie, now) && seal.is_login(&cookie, later(LOGIN - 1)) && !seal.is_login(&cookie, later(LOGIN)));
        let forged = format!("{}{}", now.unix_timestamp() + 2 * LOGIN, &cookie[cookie.find('.').unwrap()..]);
        assert!(!seal.is_login(&forged, now) && !seal.is_login(&seal.form_token("a"), now) && !seal.is_login("", now));
    }
}
