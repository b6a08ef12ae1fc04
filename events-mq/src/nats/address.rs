//! Where the servers are and who we are to them. Nothing here shows a password.

use super::NAME;
use crate::{ConnectError, percent};
use async_nats::{ConnectOptions, ServerAddr};
use std::fmt;

const EXAMPLE: &str = "nats://user:password@host:4222";

/// One or more servers of a cluster, and credentials.
#[derive(Clone)]
pub(super) struct Address {
    servers: Vec<ServerAddr>,
    credentials: Credentials,
}

#[derive(Clone)]
pub(super) enum Credentials {
    None,
    Password { user: String, password: String },
    Token(String),
}

impl Address {
    /// Reads `nats://user:password@host:port` or `tls://token@host`, several of them separated by commas.
    pub(super) fn parse(text: &str) -> Result<Self, ConnectError> {
        let malformed = |reason: String| ConnectError::Address { broker: NAME, reason, example: EXAMPLE };
        let (mut servers, mut credentials) = (Vec::new(), Credentials::None);
        for server in text.split(',').map(str::trim) {
            // The library's own message quotes no more than the scheme.
            let address: ServerAddr = server.parse().map_err(|error: std::io::Error| malformed(error.to_string()))?;
            if address.is_websocket() {
                return Err(malformed("websockets are not supported".to_owned()));
            }
            let decode = |text: &str| percent::decode(text).map_err(|_| malformed("its credentials are no UTF-8".to_owned()));
            match (address.username(), address.password()) {
                (Some(user), Some(password)) => {
                    credentials = Credentials::Password { user: decode(user)?, password: decode(password)? };
                }
                (Some(token), None) => credentials = Credentials::Token(decode(token)?),
                (None, _) => {}
            }
            // The library does not use them, and would show them.
            let mut url = address.into_inner();
            if url.host_str().is_none_or(str::is_empty) || url.set_username("").is_err() || url.set_password(None).is_err() {
                return Err(malformed("it names no host".to_owned()));
            }
            servers.push(ServerAddr::from_url(url).map_err(|error| malformed(error.to_string()))?);
        }
        Ok(Self { servers, credentials })
    }

    pub(super) fn set_credentials(&mut self, credentials: Credentials) {
        self.credentials = credentials;
    }

    pub(super) fn servers(&self) -> Vec<ServerAddr> {
        self.servers.clone()
    }

    pub(super) fn sign_in(&self, options: ConnectOptions) -> ConnectOptions {
        match &self.credentials {
            Credentials::None => options,
            Credentials::Password { user, password } => options.user_and_password(user.clone(), password.clone()),
            Credentials::Token(token) => options.token(token.clone()),
        }
    }
}

/// The servers, without credentials.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, server) in self.servers.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma}{}:{}", server.host(), server.port())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed_in = match &self.credentials {
            Credentials::None => "",
            Credentials::Password { .. } => " with a user and a password",
            Credentials::Token(_) => " with a token",
        };
        write!(f, "{self}{signed_in}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_from_the_url_and_never_shown() {
        let address = Address::parse("nats://shop:s3cr%40et@a:4222,tls://b").unwrap();
        assert!(matches!(&address.credentials, Credentials::Password { user, password } if user == "shop" && password == "s3cr@et"));
        assert_eq!(address.to_string(), "a:4222,b:4222");
        assert_eq!(format!("{address:?}"), "a:4222,b:4222 with a user and a password");
        assert!(address.servers.iter().all(|server| !server.as_url_str().contains("s3cr")));
        assert!(address.servers[1].tls_required());
        let address = Address::parse("t0ken@a").unwrap();
        assert!(matches!(&address.credentials, Credentials::Token(token) if token == "t0ken"));
        assert!(!format!("{address:?}").contains("t0ken"));
    }

    #[test]
    fn a_malformed_address_is_not_repeated() {
        for text in ["nats://shop:s3cret@a:port", "http://shop:s3cret@a", "", "nats://shop:s3cret@", "ws://shop:s3cret@a"] {
            let said = Address::parse(text).unwrap_err().to_string();
            assert!(!said.contains("s3cret") && said.contains("nats://user:password@host:4222"), "{said}");
        }
    }
}
