//! An envelope as a message of AMQP 0.9.1, and back; and copies of messages, whoever made them.

use crate::headers::Binding;
use bytes::Bytes;
use events_core::Envelope;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel};
use std::str;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// How many times an event was delivered before this copy of it was made.
pub(super) const DELIVERIES: &str = "Events-Deliveries";
/// The routing key with which it came first.
pub(super) const ROUTING_KEY: &str = "Events-Routing-Key";
const CONTENT_TYPE: &str = "content-type";
/// What the server counts for quorum queues.
const DELIVERY_COUNT: &str = "x-delivery-count";
/// Headers by which the server would do something, or which it wrote itself.
const SERVERS_OWN: [&str; 7] = ["CC", "BCC", "x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count"];
const PERSISTENT: u8 = 2;
/// What a header frame needs besides the headers, and what is left for those that copies get.
const FRAME_RESERVE: usize = 4 * 1024;

/// A message as it came, and the channel on which it is answered.
pub(super) struct Message {
    pub(super) delivery: Delivery,
    pub(super) body: Bytes,
    /// Without it the channel would be closed, and nothing on it could be answered.
    pub(super) _channel: Channel,
}

/// The properties of a message that carries `envelope`; its payload is the body.
///
/// # Errors
/// It cannot be a message; the text says why, and what to do.
pub(super) fn properties(envelope: &Envelope, frame_max: usize) -> Result<BasicProperties, String> {
    let (mut headers, mut size) = (FieldTable::default(), 0);
    for (name, value) in Binding::RABBITMQ.headers(envelope) {
        // AMQP has a property of its own for it, if it fits.
        if name == CONTENT_TYPE {
            continue;
        }
        size += name.len() + value.len() + 6;
        let name = ShortString::try_new(name).map_err(|error| {
            format!("has a header whose name is too long for RabbitMQ, which takes 255 bytes with the prefix ({error}); shorten it")
        })?;
        headers.insert(name, AMQPValue::LongString(value.into()));
    }
    if size + FRAME_RESERVE > frame_max {
        let most = frame_max.saturating_sub(FRAME_RESERVE);
        return Err(format!("has {size} bytes of headers, and RabbitMQ takes {most}; shorten them, or raise `frame_max` of the server"));
    }
    let mut properties = BasicProperties::default()
        .with_headers(headers)
        .with_delivery_mode(PERSISTENT)
        .with_message_id(envelope.id.to_string().into())
        .with_timestamp(u64::try_from(envelope.occurred_at.unix_timestamp()).unwrap_or(0));
    // Everything of these is in the headers too.
    if let Ok(topic) = ShortString::try_new(&*envelope.topic) {
        properties = properties.with_type(topic);
    }
    if let Ok(source) = ShortString::try_new(&*envelope.source) {
        properties = properties.with_app_id(source);
    }
    if let Ok(content_type) = ShortString::try_new(&*envelope.content_type) {
        properties = properties.with_content_type(content_type);
    }
    Ok(properties)
}

impl Message {
    /// The event in it.
    ///
    /// # Errors
    /// There is none; the text says why.
    pub(super) fn envelope(&self) -> Result<Envelope, String> {
        let properties = &self.delivery.properties;
        let mut headers = Vec::new();
        if let Some(content_type) = properties.content_type() {
            headers.push((CONTENT_TYPE.to_owned(), content_type.to_string()));
        }
        for (name, value) in properties.headers().iter().flat_map(FieldTable::inner) {
            // The specification has both, and says that both are to be read.
            let name = name.as_str().strip_prefix("cloudEvents_").map_or_else(|| name.to_string(), |name| format!("cloudEvents:{name}"));
            match text(value) {
                Some(value) => headers.push((name, value)),
                None if name.starts_with("cloudEvents:") => return Err(format!("the message is no event: the header `{name}` is no text")),
                None => {}
            }
        }
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Binding::RABBITMQ.envelope(headers, self.body.clone()).map_err(|error| error.to_string())
    }

    /// How many times it was delivered, with this one.
    pub(super) fn deliveries(&self) -> u32 {
        let before = self.number(DELIVERIES).unwrap_or(0);
        // A quorum queue counts; a classic one only knows whether.
        let since = self.number(DELIVERY_COUNT).unwrap_or_else(|| u32::from(self.delivery.redelivered));
        before.saturating_add(since).saturating_add(1)
    }

    /// With which routing key it came first.
    pub(super) fn routing_key(&self) -> String {
        let known = self.header(ROUTING_KEY).and_then(text);
        known.unwrap_or_else(|| self.delivery.routing_key.to_string())
    }

    /// Its properties, for a copy of it.
    pub(super) fn properties(&self) -> BasicProperties {
        let own = |name: &str| SERVERS_OWN.iter().any(|it| name == *it || (it.ends_with('-') && name.starts_with(it)));
        let mut headers = FieldTable::default();
        for (name, value) in self.delivery.properties.headers().iter().flat_map(FieldTable::inner) {
            if !own(name.as_str()) && name.as_str() != DELIVERIES && name.as_str() != ROUTING_KEY {
                headers.insert(name.clone(), value.clone());
            }
        }
        // The user that it names need not be us, and then the server would refuse it.
        let properties = self.delivery.properties.clone();
        let copy = BasicProperties::default().with_headers(headers).with_delivery_mode(PERSISTENT);
        keep(copy, &properties)
    }

    fn header(&self, name: &str) -> Option<&AMQPValue> {
        self.delivery.properties.headers().as_ref()?.inner().get(name)
    }

    fn number(&self, name: &str) -> Option<u32> {
        text(self.header(name)?)?.parse().ok()
    }
}

/// `copy` with what the others properties have, but for headers, delivery mode, expiration and user.
fn keep(mut copy: BasicProperties, from: &BasicProperties) -> BasicProperties {
    if let Some(it) = from.content_type() {
        copy = copy.with_content_type(it.clone());
    }
    if let Some(it) = from.content_encoding() {
        copy = copy.with_content_encoding(it.clone());
    }
    if let Some(it) = from.priority() {
        copy = copy.with_priority(*it);
    }
    if let Some(it) = from.correlation_id() {
        copy = copy.with_correlation_id(it.clone());
    }
    if let Some(it) = from.reply_to() {
        copy = copy.with_reply_to(it.clone());
    }
    if let Some(it) = from.message_id() {
        copy = copy.with_message_id(it.clone());
    }
    if let Some(it) = from.timestamp() {
        copy = copy.with_timestamp(*it);
    }
    if let Some(it) = from.kind() {
        copy = copy.with_type(it.clone());
    }
    if let Some(it) = from.app_id() {
        copy = copy.with_app_id(it.clone());
    }
    copy
}

/// `properties` with one more header.
pub(super) fn with_header(properties: BasicProperties, name: &str, value: String) -> BasicProperties {
    let mut headers = properties.headers().clone().unwrap_or_default();
    headers.insert(name.into(), AMQPValue::LongString(value.into()));
    properties.with_headers(headers)
}

/// A value as text: CloudEvents may have their native types.
fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => str::from_utf8(text.as_bytes()).ok().map(str::to_owned),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        AMQPValue::ByteArray(bytes) => str::from_utf8(bytes.as_slice()).ok().map(str::to_owned),
        AMQPValue::Boolean(it) => Some(it.to_string()),
        AMQPValue::ShortShortInt(it) => Some(it.to_string()),
        AMQPValue::ShortShortUInt(it) => Some(it.to_string()),
        AMQPValue::ShortInt(it) => Some(it.to_string()),
        AMQPValue::ShortUInt(it) => Some(it.to_string()),
        AMQPValue::LongInt(it) => Some(it.to_string()),
        AMQPValue::LongUInt(it) => Some(it.to_string()),
        AMQPValue::LongLongInt(it) => Some(it.to_string()),
        AMQPValue::Timestamp(seconds) => OffsetDateTime::from_unix_timestamp(i64::try_from(*seconds).ok()?).ok()?.format(&Rfc3339).ok(),
        _ => None,
    }
}
