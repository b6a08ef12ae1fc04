//! Which addresses may be talked to. A URL that somebody else gave must not reach what only we can reach: this is asked of the URL, of
//! every redirect, and of the address that a name turns out to have when the connection is made.

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What is allowed beyond public addresses by https.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reach {
    pub(super) private_addresses: bool,
    pub(super) http: bool,
}

/// Why a request is not made. No repetition helps.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(String);

impl Reach {
    /// The scheme, and the address if the URL has one instead of a name.
    pub(super) fn check(self, url: &Url) -> Result<(), Refused> {
        match url.scheme() {
            "https" => {}
            "http" if self.http => {}
            "http" => return Err(Refused("`http` protects nothing; use https, or call `allow_http()` if that is meant".to_owned())),
            other => return Err(Refused(format!("a webhook's scheme is https, and not `{other}`"))),
        }
        let host = url.host_str().unwrap_or_default();
        match host.trim_matches(['[', ']']).parse() {
            Ok(address) => self.check_address(host, address),
            Err(_) => Ok(()),
        }
    }

    fn check_address(self, host: &str, address: IpAddr) -> Result<(), Refused> {
        if self.private_addresses || is_public(address) {
            return Ok(());
        }
        Err(Refused(format!("`{host}` leads to {address}, which is no public address; call `allow_private_addresses()` if that is meant")))
    }

    /// Which redirects are followed: those that keep the request as it is, at most `most` in a row. All others are answers.
    pub(super) fn redirects(self, most: usize) -> redirect::Policy {
        redirect::Policy::custom(move |attempt| {
            if !matches!(attempt.status().as_u16(), 307 | 308) || attempt.previous().len() > most {
                return attempt.stop();
            }
            match self.check(attempt.url()) {
                Ok(()) => attempt.follow(),
                Err(refused) => attempt.error(refused),
            }
        })
    }
}

/// Resolves names as the machine does, and leaves out addresses that may not be reached.
impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = *self;
        Box::pin(async move {
            let all: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let (mut allowed, mut refused) = (Vec::new(), None);
            for address in all {
                match reach.check_address(name.as_str(), address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(why) => refused = Some(why),
                }
            }
            match refused {
                Some(refused) if allowed.is_empty() => Err(refused.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

/// Whether an address is one that everybody could reach.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// By the special-purpose registry of IANA.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || match address.octets() {
            // This network, carrier-grade translation, protocol assignments, relays, benchmarks; reserved, and broadcast among them.
            [0 | 240..=255, ..] => true,
            [100, second, ..] => second & 0xc0 == 64,
            [192, 0, 0, _] | [192, 88, 99, _] => true,
            [198, second, ..] => second & 0xfe == 18,
            _ => false,
        };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // An IPv4 address in other clothes: mapped, or translated by NAT64.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocol assignments (tunnels among them), documentation, 6to4, documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x2002, ..] => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // Everything that is global begins with the bits 001.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_everybody_could_reach_are_public() {
        let public =
            ["1.1.1.1", "100.63.0.1", "100.128.0.1", "172.32.0.1", "198.20.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"];
        let private = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "5f00::1",
        ];
        for text in public {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        for text in private {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn an_address_is_found_however_it_is_written() {
        let said = |url: &str| Reach::default().check(&Url::parse(url).unwrap()).map_err(|refused| refused.to_string());
        for host in
            ["127.0.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "%31%32%37.0.0.1", "１２７.0.0.1", "127.0.0.1."]
        {
            let said = said(&format!("https://{host}/")).unwrap_err();
            assert!(said.contains("leads to 127.0.0.1"), "{host}: {said}");
        }
        for host in ["[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::127.0.0.1]", "[fe80::1]", "10.0.0.1", "169.254.169.254"] {
            assert!(said(&format!("https://user@{host}:8443/")).is_err(), "{host}");
        }
        assert!(said("https://shop.example/").is_ok() && said("https://[2606:4700::1111]/").is_ok());
        assert!(said("http://shop.example/").unwrap_err().contains("`allow_http()`"));
        assert!(said("ftp://shop.example/").unwrap_err().contains("`ftp`"));
    }
}
