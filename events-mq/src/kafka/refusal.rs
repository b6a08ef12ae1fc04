//! What a code of the library means for an event.

use super::NAME;
use super::ears::Ears;
use crate::failure::Failure;
use events_core::Envelope;
use rdkafka::error::RDKafkaErrorCode as Code;

/// Why an event was not confirmed.
#[derive(Clone, Debug)]
pub(super) enum Unsent {
    Failed(Failure),
    /// Its topic is not there, or that may be what the broker cannot say.
    Homeless(Code),
    /// The broker refused what was sent together, and it need not be this event's fault.
    Doubtful(Code),
}

impl Unsent {
    /// What `code` means for an event that was stored under the Kafka topic `topic`.
    pub(super) fn new(ears: &Ears, envelope: &Envelope, topic: &str, code: Code) -> Self {
        match code {
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicId | Code::Unknown => {
                Self::Homeless(code)
            }
            Code::MessageSizeTooLarge
            | Code::MessageBatchTooLarge
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidDifferentRecord
            | Code::InvalidTimestamp => Self::Doubtful(code),
            _ => Self::Failed(refused(ears, envelope, topic, code)),
        }
    }
}

/// What is done about an event that was refused although it was alone.
pub(super) fn refused(ears: &Ears, envelope: &Envelope, topic: &str, code: Code) -> Failure {
    let event = format!("event {} on topic `{}`", envelope.id, envelope.topic);
    match code {
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize => Failure::hopeless(format!(
            "{event} is larger than the Kafka topic `{topic}` takes: {} bytes and its headers; raise `max.message.bytes` of the topic and \
             `max_message_bytes` of the transport, or publish less",
            envelope.payload.len()
        )),
        Code::InvalidRecord | Code::InvalidDifferentRecord | Code::InvalidTimestamp | Code::PolicyViolation => {
            Failure::hopeless(format!("{event} is refused by the Kafka topic `{topic}`: {code}; change the topic's rules, or the event"))
        }
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
            Failure::hopeless(format!("{event} may not be written to the Kafka topic `{topic}` by this user; grant Write on it"))
        }
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicId => {
            ears.away(&format!("topic `{topic}` comes and goes"))
        }
        Code::InvalidTopic => Failure::hopeless(format!("{event} cannot be stored: {NAME} takes no topic `{topic}`; rename it")),
        _ if is_fatal(code) => ears.away(&format!("the producer has to begin anew: {code}")),
        Code::MessageTimedOut | Code::TimedOutQueue | Code::OperationTimedOut | Code::RequestTimedOut => {
            ears.away(&format!("topic `{topic}` did not confirm in time"))
        }
        _ if is_passing(code) => ears.away(&format!("topic `{topic}` takes nothing: {code}")),
        _ => Failure::passing(format!("{event} cannot be stored in the Kafka topic `{topic}`: {code}")),
    }
}

/// Whether it says that the producer has lost its way: it must not go on, or order and singleness would be lost.
pub(super) fn is_fatal(code: Code) -> bool {
    matches!(
        code,
        Code::Fatal
            | Code::GaplessGuarantee
            | Code::Inconsistent
            | Code::InvalidProducerEpoch
            | Code::OutOfOrderSequenceNumber
            | Code::ProducerFenced
            | Code::UnknownProducerId
    )
}

/// Whether it says that a broker, or a partition's part of it, is not there at the moment.
pub(super) fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::AllBrokersDown
            | Code::Authentication
            | Code::BrokerDestroy
            | Code::BrokerNotAvailable
            | Code::BrokerTransportFailure
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::FencedLeaderEpoch
            | Code::ISRInsufficient
            | Code::KafkaStorageError
            | Code::LeaderNotAvailable
            | Code::MessageTimedOut
            | Code::NetworkException
            | Code::NotController
            | Code::NotCoordinator
            | Code::NotEnoughReplicas
            | Code::NotEnoughReplicasAfterAppend
            | Code::NotLeaderForPartition
            | Code::OperationTimedOut
            | Code::PurgeInflight
            | Code::PurgeQueue
            | Code::QueueFull
            | Code::ReplicaNotAvailable
            | Code::RequestTimedOut
            | Code::Resolve
            | Code::SSL
            | Code::SaslAuthenticationFailed
            | Code::State
            | Code::ThrottlingQuotaExceeded
            | Code::TimedOutQueue
            | Code::UnknownLeaderEpoch
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use events_core::{DeliveryErrorKind, EventId, Headers};

    #[test]
    fn codes_are_told_apart_by_what_is_to_be_done() {
        let envelope = Envelope {
            id: EventId::now(),
            topic: "order.payok".into(),
            version: 1,
            key: None,
            occurred_at: time::OffsetDateTime::UNIX_EPOCH,
            source: "/tests".into(),
            content_type: "application/json".into(),
            headers: Headers::new(),
            payload: "{}".into(),
        };
        let ears = Ears::new("a:9092");
        let kind = |code| match Unsent::new(&ears, &envelope, "events.order.payok", code) {
            Unsent::Failed(failure) => Some(failure.for_delivery().kind()),
            Unsent::Homeless(_) | Unsent::Doubtful(_) => None,
        };
        for code in [Code::NotEnoughReplicas, Code::NotLeaderForPartition, Code::MessageTimedOut, Code::AllBrokersDown, Code::Fatal] {
            assert_eq!(kind(code), Some(DeliveryErrorKind::Unavailable), "{code}");
        }
        for code in [Code::TopicAuthorizationFailed, Code::PolicyViolation, Code::InvalidTopic] {
            assert_eq!(kind(code), Some(DeliveryErrorKind::Terminal), "{code}");
        }
        assert_eq!(kind(Code::InvalidRequiredAcks), Some(DeliveryErrorKind::Retryable(None)));
        assert!(matches!(Unsent::new(&ears, &envelope, "t", Code::UnknownTopicOrPartition), Unsent::Homeless(_)));
        assert!(matches!(Unsent::new(&ears, &envelope, "t", Code::MessageSizeTooLarge), Unsent::Doubtful(_)));
        let said = refused(&ears, &envelope, "t", Code::MessageSizeTooLarge).for_delivery().report();
        assert!(said.contains("larger") && said.contains(&envelope.id.to_string()), "{said}");
    }
}
