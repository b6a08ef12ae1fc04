//! Where the servers of a broker are and who we are to them. Nothing here shows a password.

use crate::{ConnectError, percent};
use std::fmt;

/// What the addresses of a broker look like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) broker: &'static str,
    /// The schemes, each with whether it means TLS and with its usual port.
    pub(crate) schemes: &'static [(&'static str, bool, u16)],
    /// For errors.
    pub(crate) example: &'static str,
}

/// One or more servers, credentials, and what stands after the slash.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) hosts: Vec<(String, u16)>,
    pub(crate) tls: bool,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    /// `Some("")` for a single slash.
    pub(crate) path: Option<String>,
}

impl Address {
    /// Reads `scheme://user:password@host:port,host:port/path`. Credentials and path are percent-decoded.
    pub(crate) fn parse(form: &Form, text: &str) -> Result<Self, ConnectError> {
        let malformed = |reason: &str| ConnectError::Address { broker: form.broker, reason: reason.to_owned(), example: form.example };
        let decode = |text: &str| percent::decode(text).map_err(|_| malformed("its credentials or its path are no UTF-8"));
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(|| malformed("it has no scheme"))?;
        let known = form.schemes.iter().find(|(name, ..)| name.eq_ignore_ascii_case(scheme));
        let &(_, tls, usual_port) = known.ok_or_else(|| malformed("its scheme is another broker's"))?;
        // What follows a wrong sign in a password would be taken for something else, and shown.
        let (credentials, rest) = rest.rsplit_once('@').map_or((None, rest), |(credentials, rest)| (Some(credentials), rest));
        if credentials.is_some_and(|it| it.contains(['/', '?', '#', '@'])) {
            return Err(malformed("its credentials hold one of `/?#@`, which must be percent-encoded"));
        }
        if rest.contains(['?', '#']) {
            return Err(malformed("it has parameters; options belong to the builder"));
        }
        let (hosts, path) = rest.split_once('/').map_or((rest, None), |(hosts, path)| (hosts, Some(path)));
        let (user, password) = match credentials.map(|it| it.split_once(':').map_or((it, None), |(user, password)| (user, Some(password))))
        {
            Some((user, password)) => (Some(decode(user)?), password.map(decode).transpose()?),
            None => (None, None),
        };
        let hosts =
            hosts.split(',').map(|host| host_and_port(host.trim(), usual_port).ok_or_else(|| malformed("a host or its port is malformed")));
        Ok(Self { hosts: hosts.collect::<Result<_, _>>()?, tls, user, password, path: path.map(decode).transpose()? })
    }
}

fn host_and_port(text: &str, usual_port: u16) -> Option<(String, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        // The last colon of `[::1]` separates nothing.
        Some((_, port)) if port.ends_with(']') => (text, None),
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let port = port.map_or(Some(usual_port), |port| port.parse().ok())?;
    (!host.is_empty() && !host.contains(char::is_whitespace)).then(|| (host.to_owned(), port))
}

/// The servers, without credentials.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (host, port)) in self.hosts.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma}{host}:{port}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = if self.tls { " by TLS" } else { "" };
        let credentials = if self.user.is_some() || self.password.is_some() { " with credentials" } else { "" };
        write!(f, "{self}{tls}{credentials}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form = Form { broker: "Hermes", schemes: &[("hermes", false, 7), ("hermess", true, 8)], example: "hermes://host:7" };

    #[test]
    fn all_parts_of_an_address_are_read() {
        let address = Address::parse(&FORM, "hermes://shop:s3cr%40et@a,b:9,[::1],[::1]:10/eu%2Fwest").unwrap();
        assert_eq!(address.to_string(), "a:7,b:9,[::1]:7,[::1]:10");
        assert_eq!((address.user.as_deref(), address.password.as_deref()), (Some("shop"), Some("s3cr@et")));
        assert_eq!((address.path.as_deref(), address.tls), (Some("eu/west"), false));
        let address = Address::parse(&FORM, "HERMESS://:s3cret@a/").unwrap();
        assert_eq!((address.user.as_deref(), address.password.as_deref()), (Some(""), Some("s3cret")));
        assert_eq!((address.path.as_deref(), address.tls, address.to_string()), (Some(""), true, "a:8".to_owned()));
    }

    #[test]
    fn no_password_is_shown() {
        let address = Address::parse(&FORM, "hermess://shop:s3cret@a").unwrap();
        assert_eq!(format!("{address:?}"), "a:8 by TLS with credentials");
        let malformed = [
            "hermes://shop:s3cret@",
            "hermes://shop:s3cret@a:port",
            "http://shop:s3cret@a",
            "shop:s3cret@a",
            "hermes://shop:s3cret@a?b=c",
            "hermes://shop:s3/cret@a",
            "hermes://shop:s3@cret@a",
            "hermes://shop:%ff%s3cret@a",
            "hermes://shop:s3cret@a b",
        ];
        for text in malformed {
            let said = Address::parse(&FORM, text).unwrap_err().to_string();
            assert!(!said.contains("cret") && said.contains("Hermes") && said.contains("hermes://host:7"), "{said}");
        }
    }
}
