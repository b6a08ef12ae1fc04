//! What a receiver's answer means.

use super::target::{Target, shown};
use events_core::{DeliveryError, Envelope};
use reqwest::{Response, StatusCode, header};
use std::time::Duration;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use tokio::time::{Instant, timeout_at};

/// How much of a body is compared with the one that is expected, in bytes.
pub(super) const LONGEST_EXPECTED: usize = 1024;
/// How much of a body that nobody asked for is read, so that the connection can be used again, and for how long at most.
const DRAIN: usize = 16 * 1024;
const GLANCE: Duration = Duration::from_secs(1);
/// How much of an answer is shown, in bytes.
const EXCERPT: usize = 200;
/// A receiver that asks for more patience does not get it.
const LONGEST_PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether the event was taken; the error says what the receiver said, unless that might quote a sensitive field.
pub(super) async fn judge(
    target: &Target,
    envelope: &Envelope,
    mut response: Response,
    expected: Option<&str>,
) -> Result<(), DeliveryError> {
    let quoted = |body: Beginning| if envelope.is_sensitive() { String::new() } else { body.excerpt(target) };
    let status = response.status();
    let answered = format!("{target} answered {}", named(status));
    if status.is_success() {
        let Some(expected) = expected else {
            let _ = beginning(&mut response, DRAIN, GLANCE).await;
            return Ok(());
        };
        // The time limit of the request is the only one here: without its end the body is not the one that is expected.
        let body = beginning(&mut response, LONGEST_EXPECTED + 1, Duration::MAX).await;
        if body.is_whole && body.bytes.trim_ascii() == expected.trim().as_bytes() {
            return Ok(());
        }
        return Err(format!("{answered}, but not `{expected}`{}", quoted(body)).into());
    }
    let retry_after = retry_after(&response);
    let location = location(&response);
    let said = quoted(beginning(&mut response, LONGEST_EXPECTED, GLANCE).await);
    if status == StatusCode::GONE {
        return Err(DeliveryError::terminal(format!(
            "{answered}: it wants no more events{said}; take this webhook out, or change its URL"
        )));
    }
    if status.is_redirection() {
        let location = location.map(|location| format!(" to {location}")).unwrap_or_default();
        return Err(format!(
            "{answered}{location}, which is not followed; use the new URL (`redirects(..)` follows 307 and 308 only, which keep the body){said}"
        )
        .into());
    }
    let text = format!("{answered}{said}");
    Err(retry_after.map_or_else(|| text.clone().into(), |delay| DeliveryError::retry_after(delay, text.clone())))
}

/// What was read of a body.
struct Beginning {
    bytes: Vec<u8>,
    is_whole: bool,
}

/// Reads no more than it must: up to `limit` bytes, and what came along with the last of them.
async fn beginning(response: &mut Response, limit: usize, patience: Duration) -> Beginning {
    let deadline = Instant::now() + patience.min(LONGEST_PATIENCE);
    let mut bytes = Vec::new();
    let mut is_whole = false;
    while bytes.len() < limit && !is_whole {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => bytes.extend_from_slice(&chunk[..chunk.len().min(limit - bytes.len())]),
            Ok(Ok(None)) => is_whole = true,
            Ok(Err(_)) | Err(_) => break,
        }
    }
    Beginning { bytes, is_whole }
}

impl Beginning {
    /// Its first bytes in one line, for an error's text; nothing if there are none.
    fn excerpt(&self, target: &Target) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        // Secrets are looked for before the text is cut: half of one is a secret too.
        let text = target.hide_secrets_in(text.trim());
        let end = text.floor_char_boundary(EXCERPT);
        let shown: String = text[..end].chars().map(|sign| if is_control(sign) { ' ' } else { sign }).collect();
        match (shown.is_empty(), end < text.len()) {
            (true, _) => String::new(),
            (false, false) => format!(": {shown:?}"),
            (false, true) => format!(": {shown:?}.."),
        }
    }
}

/// What moves a terminal's cursor, or turns the direction of writing.
fn is_control(sign: char) -> bool {
    sign.is_control() || matches!(sign, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn named(status: StatusCode) -> String {
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    format!("{}{reason}", status.as_u16())
}

/// Where a redirect leads, without credentials and parameters.
fn location(response: &Response) -> Option<String> {
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    response.url().join(location).ok().map(|url| shown(&url))
}

/// For how long the receiver wants to be left alone: seconds, or a date.
fn retry_after(response: &Response) -> Option<Duration> {
    patience(response.headers().get(header::RETRY_AFTER)?.to_str().ok()?, OffsetDateTime::now_utc())
}

fn patience(text: &str, now: OffsetDateTime) -> Option<Duration> {
    let text = text.trim();
    let asked = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => OffsetDateTime::parse(text, &Rfc2822).ok().and_then(|date| (date - now).try_into().ok())?,
    };
    Some(asked.min(LONGEST_PATIENCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_asks_for_patience_in_seconds_or_by_a_date() {
        let now = OffsetDateTime::from_unix_timestamp(784_111_740).unwrap();
        assert_eq!(patience(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(patience("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(37)));
        assert_eq!(patience("Sun, 06 Nov 1994 08:48:37 GMT", now), None);
        assert_eq!(patience("99999999999", now), Some(LONGEST_PATIENCE));
        assert_eq!(patience("-1", now), None);
        assert_eq!(patience("soon", now), None);
    }

    #[test]
    fn an_excerpt_is_short_and_harmless() {
        let target = Target::parse("https://a/?token=t0ken").unwrap();
        let excerpt = |bytes: &[u8]| Beginning { bytes: bytes.to_vec(), is_whole: true }.excerpt(&target);
        assert_eq!(excerpt(b" \r\n "), "");
        assert_eq!(excerpt("a\u{1b}[31m\r\n\"b\"\u{202e}\u{0}c".as_bytes()), r#": "a [31m  \"b\"  c""#);
        assert_eq!(excerpt(b"no t0ken"), r#": "no ***""#);
        let long = excerpt("ü".repeat(1000).as_bytes());
        assert!(long.len() < 210 && long.ends_with("\".."), "{long}");
        assert!(!excerpt(&[&[b'x'; 198][..], b"t0ken"].concat()).contains("t0"));
        assert_eq!(excerpt(&[0xff]), ": \"\u{fffd}\"");
    }
}
