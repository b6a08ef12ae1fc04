//! Entries of a stream, and the events that they are.

use super::said;
use crate::headers::{Binding, NotAnEvent};
use ::redis::{Cmd, Value};
use bytes::Bytes;
use events_core::Envelope;

/// The field that holds the payload.
const DATA: &[u8] = b"data";
/// The field that holds the topic.
const TOPIC: &[u8] = b"ce_type";

/// An entry as the server delivered it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) fields: Vec<(Bytes, Bytes)>,
}

impl Entry {
    /// Reads `[id, [name, value, ..]]`.
    pub(super) fn read(reply: Value) -> Option<Self> {
        let mut parts = said::list(reply).into_iter();
        let id = said::text(&parts.next()?)?.to_owned();
        let mut values = said::list(parts.next()?).into_iter().map(bytes);
        let mut fields = Vec::with_capacity(values.len() / 2);
        while let (Some(name), Some(value)) = (values.next(), values.next()) {
            fields.push((name, value));
        }
        Some(Self { id, fields })
    }

    /// Its place in the stream.
    pub(super) fn place(&self) -> (u64, u64) {
        place(&self.id)
    }

    /// The topic, if it says one.
    pub(super) fn topic(&self) -> Option<&str> {
        std::str::from_utf8(self.field(TOPIC)?).ok()
    }

    pub(super) fn envelope(&self) -> Result<Envelope, NotAnEvent> {
        let payload = self.field(DATA).cloned().unwrap_or_default();
        // Names and values of strangers that are no text are no headers of ours.
        let headers = self.fields.iter().filter(|(name, _)| name != DATA);
        let headers = headers.filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?)));
        Binding::REDIS.envelope(headers, payload)
    }

    /// The last of its name counts.
    fn field(&self, wanted: &[u8]) -> Option<&Bytes> {
        self.fields.iter().rev().find(|(name, _)| name == wanted).map(|(_, value)| value)
    }
}

/// The two numbers of an entry's id.
pub(super) fn place(id: &str) -> (u64, u64) {
    let (time, count) = id.split_once('-').unwrap_or((id, "0"));
    (time.parse().unwrap_or_default(), count.parse().unwrap_or_default())
}

/// An event as the fields of an entry.
pub(super) struct Fields<'a> {
    headers: Vec<(String, String)>,
    payload: &'a Bytes,
}

impl<'a> Fields<'a> {
    pub(super) fn of(envelope: &'a Envelope) -> Self {
        Self { headers: Binding::REDIS.headers(envelope), payload: &envelope.payload }
    }

    /// In bytes, as the protocol has them.
    pub(super) fn size(&self) -> usize {
        self.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() + DATA.len() + self.payload.len()
    }

    pub(super) fn write(&self, command: &mut Cmd) {
        for (name, value) in &self.headers {
            command.arg(name).arg(value);
        }
        command.arg(DATA).arg(&self.payload[..]);
    }
}

fn bytes(value: Value) -> Bytes {
    match value {
        Value::BulkString(bytes) => bytes.into(),
        _ => Bytes::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &[u8]) -> Value {
        Value::BulkString(text.to_vec())
    }

    #[test]
    fn an_entry_of_a_stranger_is_read_as_it_is() {
        let fields = [b"data", &b"old"[..], b"\xff", b"\x00", b"data", b"new\xff"].map(bulk);
        let entry = Entry::read(Value::Array(vec![bulk(b"17-4"), Value::Array(fields.to_vec())])).unwrap();
        assert_eq!((entry.place(), entry.topic(), entry.fields.len()), ((17, 4), None, 3));
        assert_eq!(entry.field(DATA).unwrap(), &b"new\xff"[..]);
        assert!(entry.envelope().unwrap_err().to_string().contains("`ce_specversion` is missing"));
        assert!(Entry::read(Value::Nil).is_none());
    }
}
