//! Where the requests go. Credentials are part of it, and nothing here shows them.

use super::{NAME, reach::Reach};
use crate::{ConnectError, percent};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use reqwest::Url;
use std::fmt;

pub(super) const EXAMPLE: &str = "https://shop.example/webhooks";
/// What is shorter is found everywhere, and guessed by everybody.
const SHORTEST_SECRET: usize = 4;

/// A URL, which may have a user, a password, and a token among its parameters.
#[derive(Clone)]
pub(super) struct Target(Url);

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, ConnectError> {
        let malformed = |reason: String| ConnectError::Address { broker: NAME, reason, example: EXAMPLE };
        let url = Url::parse(text.trim()).map_err(|error| malformed(error.to_string()))?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(malformed("it names no host".to_owned()));
        }
        Ok(Self(url))
    }

    pub(super) fn check(&self, reach: Reach) -> Result<(), ConnectError> {
        reach.check(&self.0).map_err(|refused| ConnectError::Address { broker: NAME, reason: refused.to_string(), example: EXAMPLE })
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    pub(super) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// What a receiver said, without what only we should know: many repeat the URL that they were asked for.
    pub(super) fn hide_secrets_in(&self, text: &str) -> String {
        let parameters = self.0.query().unwrap_or_default();
        let values = parameters.split('&').filter_map(|parameter| parameter.split_once('=')).map(|(_, value)| value);
        let decoded = |text: Option<&str>| percent::decode(text.unwrap_or_default()).unwrap_or_default();
        let mut secrets = vec![BASE64.encode(format!("{}:{}", decoded(Some(self.0.username())), decoded(self.0.password())))];
        for secret in [parameters].into_iter().chain(values).chain(self.0.password()).chain([self.0.username()]) {
            secrets.extend(percent::decode(secret));
            secrets.push(secret.to_owned());
        }
        secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
        // The whole before its parts.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

/// A URL without credentials and parameters.
pub(super) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// The URL without credentials and parameters.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_credentials_nor_parameters_are_shown() {
        let target = Target::parse(" https://shop:s3cret@shop.example:8443/hooks/1?token=t0ken&x=1#f ").unwrap();
        assert_eq!(target.to_string(), "https://shop.example:8443/hooks/1");
        assert_eq!(format!("{target:?}"), target.to_string());
        for text in ["s3cret@", "https://shop:s3cret@", "https://shop:s3cret@a:port/", "mailto:s3cret@a", "https://shop:s3cret@:443"] {
            let said = Target::parse(text).unwrap_err().to_string();
            assert!(!said.contains("s3cret") && said.contains(EXAMPLE), "{said}");
        }
    }

    #[test]
    fn what_a_receiver_repeats_is_shown_without_secrets() {
        let target = Target::parse("https://shop:s3cr%40et@a/hooks?token=t0k%2Fen&a=1&b").unwrap();
        let said = "no POST /hooks?token=t0k%2Fen&a=1&b for shop:s3cr@et, t0k/en, s3cr%40et, Basic c2hvcDpzM2NyQGV0; 1";
        assert_eq!(target.hide_secrets_in(said), "no POST /hooks?*** for ***:***, ***, ***, Basic ***; 1");
        assert_eq!(Target::parse("https://a/").unwrap().hide_secrets_in("as it is"), "as it is");
    }
}
