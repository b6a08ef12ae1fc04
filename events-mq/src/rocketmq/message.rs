//! An envelope as a message of RocketMQ, and back.

use super::{NAME, names, request::Request, request::code, route::Queue};
use crate::headers::{Binding, NotAnEvent};
use bytes::Bytes;
use events_core::{Envelope, TransactionId};
use rocketmq_model::common::message::message_ext::MessageExt;
use rocketmq_protocol::common::message::message_decoder;
use std::collections::BTreeMap;
use time_stamp::now;

/// What separates a property's name from its value, and properties from each other.
const NAME_END: char = '\u{1}';
const VALUE_END: char = '\u{2}';
/// A property without a value would be left out by the servers. Quotation marks in values are percent-encoded, so nothing else is this.
const EMPTY: &str = "\"\"";
/// Servers refuse a message without a body. This property says that the one byte there is means nothing.
const EMPTY_BODY: &str = "empty_body";
const PLACEHOLDER: &[u8] = b" ";
/// As many bytes of properties as a message may have; the servers add some of their own, and more when it is delivered again.
const PROPERTIES: usize = 32_767 - 1_024;

/// The property that names the transaction of a message that is not shown yet.
const TRANSACTION: &str = "Events-Transaction";

/// What a message says that is not shown before its transaction has committed.
pub(super) struct Half<'a> {
    /// Whom its broker asks.
    pub(super) group: &'a str,
    pub(super) transaction: &'a str,
}

/// The transaction that a broker asks about.
pub(super) fn transaction_of(message: &MessageExt) -> Option<TransactionId> {
    let (_, text) = message.properties().iter().find(|(name, _)| name.as_str() == TRANSACTION)?;
    text.parse().ok().map(TransactionId)
}

/// What is sent.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    properties: String,
    body: Bytes,
    /// Whether it is shown at once.
    flags: u8,
}

/// The flag of a message that is not shown before its transaction has committed.
const PREPARED: u8 = 4;

impl Outgoing {
    /// # Errors
    /// No server would take it; the text says why.
    pub(super) fn of(envelope: &Envelope, largest: usize) -> Result<Self, String> {
        Self::with(envelope, largest, &[])
    }

    /// One that is not shown yet.
    pub(super) fn half(envelope: &Envelope, largest: usize, half: &Half<'_>) -> Result<Self, String> {
        // Not `CHECK_IMMUNITY_TIME_IN_SECONDS`: within that time brokers copy the message whenever they look at it, do not find the copy again
        // when it is confirmed, and deliver it twice.
        let more = [("TRAN_MSG", "true"), ("PGROUP", half.group), (TRANSACTION, half.transaction)];
        Self::with(envelope, largest, &more).map(|this| Self { flags: PREPARED, ..this })
    }

    fn with(envelope: &Envelope, largest: usize, more: &[(&str, &str)]) -> Result<Self, String> {
        let event = format!("event {} on topic `{}`", envelope.id, envelope.topic);
        if !names::is_tag(&envelope.topic) {
            return Err(format!(
                "{event} cannot be sent to {NAME}: its topic cannot be a tag, because it is blank at an end, or holds `|` or control characters"
            ));
        }
        if envelope.payload.len() > largest {
            let size = envelope.payload.len();
            return Err(format!(
                "{event} is larger than {NAME} takes: {size} bytes, of at most {largest}; raise `max_message_size` and the brokers' `maxMessageSize`, or publish less"
            ));
        }
        let id = envelope.id.to_string();
        let headers = Binding::ROCKETMQ.headers(envelope);
        let known = [("TAGS", envelope.topic.as_ref()), ("KEYS", &id), ("UNIQ_KEY", &id), ("WAIT", "true")];
        let all = known.into_iter().chain(more.iter().copied()).chain(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let this = Self::new(all, envelope.payload.clone());
        if this.properties.len() > PROPERTIES {
            let size = this.properties.len();
            return Err(format!("{event} has larger headers than {NAME} takes: {size} bytes, of at most {PROPERTIES}; shorten them"));
        }
        Ok(this)
    }

    pub(super) fn new<'a>(properties: impl IntoIterator<Item = (&'a str, &'a str)>, body: Bytes) -> Self {
        let mut text = String::new();
        let mut push = |name: &str, value: &str| {
            text.push_str(name);
            text.push(NAME_END);
            text.push_str(if value.is_empty() { EMPTY } else { value });
            text.push(VALUE_END);
        };
        for (name, value) in properties {
            push(name, value);
        }
        if body.is_empty() {
            push(EMPTY_BODY, "true");
        }
        Self { flags: 0, properties: text, body: if body.is_empty() { Bytes::from_static(PLACEHOLDER) } else { body } }
    }

    /// Whether it fits what a server takes.
    pub(super) fn fits(&self) -> bool {
        self.properties.len() <= PROPERTIES
    }

    /// The request that stores it. The names of its fields are those of the protocol's short form.
    pub(super) fn request(self, producer_group: &str, topic: &str, queue: &Queue) -> Request {
        Request::new(code::SEND_MESSAGE)
            .with("a", producer_group)
            .with("b", topic)
            .with("c", "TBW102")
            .with("d", 4)
            .with("e", queue.id)
            .with("f", self.flags)
            .with("g", now())
            .with("h", 0)
            .with("i", self.properties)
            .with("j", 0)
            .with("k", false)
            .with("m", false)
            .with("n", &queue.broker)
            .body(self.body)
    }
}

/// What was received.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    pub(super) properties: BTreeMap<String, String>,
    pub(super) body: Bytes,
    /// Its place in its queue.
    pub(super) offset: i64,
    /// Its place in everything that its broker has stored.
    pub(super) log_offset: i64,
    /// How many times it was delivered before and refused.
    pub(super) refused: u32,
    pub(super) id: String,
}

impl Incoming {
    /// Those in the answer to a request for messages.
    pub(super) fn all(mut answer: Bytes) -> Vec<Self> {
        let messages = message_decoder::decodes_batch(&mut answer, true, true);
        messages
            .into_iter()
            .map(|message| {
                let properties = message.properties().iter();
                let mut properties: BTreeMap<String, String> = properties
                    .map(|(name, value)| (name.to_string(), if value == EMPTY { String::new() } else { value.to_string() }))
                    .collect();
                let is_empty = properties.remove(EMPTY_BODY).is_some();
                Self {
                    properties,
                    body: if is_empty { Bytes::new() } else { message.body().unwrap_or_default() },
                    offset: message.queue_offset(),
                    log_offset: message.commit_log_offset(),
                    refused: u32::try_from(message.reconsume_times()).unwrap_or(0),
                    id: message.msg_id().to_string(),
                }
            })
            .collect()
    }

    pub(super) fn envelope(&self) -> Result<Envelope, NotAnEvent> {
        let properties = self.properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Binding::ROCKETMQ.envelope(properties, self.body.clone())
    }
}

mod time_stamp {
    use std::time::{SystemTime, UNIX_EPOCH};

    /// Milliseconds since 1970.
    pub(super) fn now() -> u128 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
    }
}
