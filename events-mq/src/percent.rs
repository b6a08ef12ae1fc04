//! Percent-encoding as the HTTP and NATS bindings of CloudEvents ask for it: what is not visible ASCII becomes `%XX` of its UTF-8 bytes.

use std::str::Utf8Error;

/// Encodes a header's value: everything but visible ASCII, and of that the quotation mark and the percent sign.
pub(crate) fn encode_value(text: &str) -> String {
    encode(text, |byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'%')
}

/// Encodes a header's name: everything but the letters, digits and signs that RFC 9110 allows in one.
pub(crate) fn encode_name(text: &str) -> String {
    encode(text, |byte| byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte))
}

/// Decodes either. A percent sign that begins no `%XX` stands for itself: strangers forget to encode it.
pub(crate) fn decode(text: &str) -> Result<String, Utf8Error> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            bytes.push(high << 4 | low);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    std::str::from_utf8(&bytes).map(str::to_owned)
}

fn digit(hex: u8) -> Option<u8> {
    char::from(hex).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn encode(text: &str, is_plain: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_survives_and_is_visible_ascii_on_the_way() {
        for text in ["", "plain", "Grüße aus Köln €", " spaces \t and\r\nlines ", "50% \"off\"", "%41", "ключ", "\u{0}\u{7f}😀", "a:b"]
        {
            for encoded in [encode_value(text), encode_name(text)] {
                assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic()), "{encoded}");
                assert_eq!(decode(&encoded).unwrap(), text);
            }
        }
    }

    #[test]
    fn the_example_of_the_standard_is_encoded_as_it_says() {
        assert_eq!(encode_value("Euro € 😀"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
    }

    #[test]
    fn a_percent_sign_of_a_stranger_stands_for_itself() {
        assert_eq!(decode("100%").unwrap(), "100%");
        assert_eq!(decode("%zz%4").unwrap(), "%zz%4");
        assert!(decode("%ff").is_err());
    }
}
