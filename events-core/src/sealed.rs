//! How a sealed payload is told from one in clear: by its media type. Known to every build, also to one that cannot open it.

use crate::Envelope;

/// What the media type of a sealed payload begins with; the id of its key follows, and then the media type of what is inside.
#[cfg_attr(not(feature = "encryption"), allow(dead_code, reason = "nothing is sealed"))]
const SEALED: &str = "application/vnd.events.sealed; key=";
const INSIDE: &str = "; of=";

/// What the media type of a sealed payload says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sealed<'a> {
    /// The id of the key.
    pub(crate) key: &'a str,
    /// The media type of the payload inside.
    #[cfg_attr(not(feature = "encryption"), allow(dead_code, reason = "nothing is opened"))]
    pub(crate) inside: &'a str,
}

impl<'a> Sealed<'a> {
    /// What a media type says, if it is that of a sealed payload.
    pub(crate) fn of(content_type: &'a str) -> Option<Self> {
        let rest = content_type.strip_prefix(SEALED)?;
        let (key, inside) = rest.split_once(INSIDE).unwrap_or((rest, ""));
        Some(Self { key, inside })
    }

    /// The media type to store.
    #[cfg(feature = "encryption")]
    pub(crate) fn content_type(self) -> String {
        format!("{SEALED}{}{INSIDE}{}", self.key, self.inside)
    }
}

impl Envelope {
    /// The id of the key that the payload is encrypted with, if it is: a payload in the database that this process has no key for. What
    /// handlers and transports get is never encrypted.
    #[must_use]
    pub fn sealed_with(&self) -> Option<&str> {
        Sealed::of(&self.content_type).map(|sealed| sealed.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_media_type_names_its_key_and_what_is_inside() {
        let sealed = Sealed::of("application/vnd.events.sealed; key=2026-11; of=text/plain; charset=utf-8");
        assert_eq!(sealed, Some(Sealed { key: "2026-11", inside: "text/plain; charset=utf-8" }));
        assert_eq!(Sealed::of("application/json"), None);
    }

    #[test]
    fn a_damaged_one_is_sealed_nevertheless() {
        assert_eq!(Sealed::of("application/vnd.events.sealed; key=").map(|sealed| sealed.key), Some(""));
    }
}
