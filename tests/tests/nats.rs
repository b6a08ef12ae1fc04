//! NATS JetStream keeps the contract of every broker.

#![allow(clippy::unwrap_used)]

mod conformance {
    events_tests::broker_conformance!(events_tests::OnNats);
}
