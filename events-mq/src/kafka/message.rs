//! A message as it was read from a partition.

use crate::headers::{Binding, NotAnEvent};
use bytes::Bytes;
use events_core::Envelope;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) place: Place,
    pub(super) key: Option<Vec<u8>>,
    /// Or what keeps them from being read.
    pub(super) headers: Result<Vec<Header>, String>,
    /// Kafka has messages without a body, which mean that something was removed.
    pub(super) payload: Option<Bytes>,
    /// How many times it was handed out, with this one.
    pub(super) delivered: u32,
}

pub(super) type Header = (String, Option<Vec<u8>>);

/// Where a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// The assignment of the partition with which it came.
    pub(super) epoch: u64,
}

impl Place {
    /// In which partition.
    pub(super) fn partition(&self) -> (String, i32) {
        (self.topic.to_string(), self.partition)
    }
}

impl Message {
    pub(super) fn read(message: &BorrowedMessage<'_>) -> Self {
        Self {
            place: Place { topic: message.topic().into(), partition: message.partition(), offset: message.offset(), epoch: 0 },
            key: message.key().map(<[u8]>::to_vec),
            headers: headers(message),
            payload: message.payload().map(Bytes::copy_from_slice),
            delivered: 1,
        }
    }

    /// What it says, if it is an event.
    pub(super) fn envelope(&self) -> Result<Envelope, String> {
        let headers = self.headers.as_ref().map_err(|why| format!("the message is no event: {why}"))?;
        let texts = headers.iter().filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value.as_deref()?).ok()?)));
        let payload = self.payload.clone().unwrap_or_default();
        Binding::KAFKA.envelope(texts, payload).map_err(|error: NotAnEvent| error.to_string())
    }
}

/// The library panics at a name that is no UTF-8, which any stranger can send.
fn headers(message: &BorrowedMessage<'_>) -> Result<Vec<Header>, String> {
    let Some(headers) = message.headers() else { return Ok(Vec::new()) };
    let all = || headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect();
    catch_unwind(AssertUnwindSafe(all)).map_err(|_| "the name of a header is no UTF-8".to_owned())
}
