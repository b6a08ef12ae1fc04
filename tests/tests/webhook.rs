//! Webhooks at a receiver of the tests' own, which answers as badly as receivers do.

#![allow(clippy::unwrap_used)]

mod webhook {
    mod answers;
    mod patience;
    mod reach;
    mod receiver;
    mod relaying;
    mod sending;
    mod tls;

    use events_core::{DeliveryError, Envelope, EventId, Headers, Transport};
    use events_mq::webhook::{Webhook, WebhookBuilder};
    use std::{sync::Arc, time::Duration};

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    /// How long anything may take that should happen at once.
    const SOON: Duration = Duration::from_secs(30);

    /// Somebody who may talk to a receiver of the tests.
    fn builder(url: &str) -> WebhookBuilder {
        Webhook::builder(url).secret(SECRET).allow_http().allow_private_addresses()
    }

    fn event(n: usize) -> Arc<Envelope> {
        Arc::new(Envelope {
            id: EventId::now(),
            topic: "test.counted".into(),
            version: 1,
            key: None,
            occurred_at: time::OffsetDateTime::now_utc(),
            source: "/tests".into(),
            content_type: "application/json".into(),
            headers: Headers::new(),
            payload: n.to_string().into(),
        })
    }

    async fn send_one(webhook: &Webhook) -> Result<(), DeliveryError> {
        webhook.send(&[event(1)]).await.remove(0)
    }
}
