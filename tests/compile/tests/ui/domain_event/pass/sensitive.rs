use events_core::{DomainEvent, Envelope, domain_event};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "card.charged", key = order_id)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CardCharged {
    order_id: i64,
    #[event(sensitive)]
    card_number: String,
    #[event(sensitive)]
    #[serde(rename = "cvc", default)]
    code: Option<u16>,
    #[event(sensitive)]
    #[serde(skip)]
    r#in: u8,
}

/// Has no `Debug`, and neither has the event.
#[derive(Serialize, Deserialize)]
struct Amount(i64);

#[domain_event(topic = "card.refunded", version = 2, upcasts = CardRefundedV1)]
#[derive(Serialize, Deserialize)]
struct CardRefunded {
    amount: Amount,
}

#[domain_event(topic = "card.refunded")]
#[derive(Serialize, Deserialize)]
struct CardRefundedV1 {
    amount: Amount,
    #[event(sensitive)]
    card: String,
}

impl events_core::Upcast<CardRefundedV1> for CardRefunded {
    fn upcast(old: CardRefundedV1) -> Self {
        Self { amount: old.amount }
    }
}

macro_rules! declare {
    ($name:ident, $field:ident: $ty:ty) => {
        #[domain_event(topic = "card.made")]
        #[derive(core::fmt::Debug, Serialize, Deserialize)]
        struct $name {
            #[event(sensitive)]
            $field: $ty,
        }
    };
}
declare!(CardMade, number: String);

#[derive(Serialize, Deserialize)]
#[domain_event(topic = "card.lost")]
struct SerdeAbove {
    #[event(sensitive)]
    card: String,
}

fn main() {
    let event = CardCharged { order_id: 7, card_number: "4111".to_owned(), code: Some(123), r#in: 1 };
    assert_eq!(
        format!("{event:?}"),
        "CardCharged { order_id: 7, card_number: <sensitive>, code: <sensitive>, in: <sensitive> }"
    );
    assert_eq!(CardCharged::SENSITIVE, ["cardNumber", "cvc"]);
    let envelope = Envelope::seal(&event, &"/".into()).unwrap();
    assert_eq!(envelope.headers["events-sensitive"], r#"["cardNumber","cvc"]"#);
    assert_eq!(envelope.masked(), r#"{"cardNumber":"***","cvc":"***","orderId":7}"#);

    // What an older version hides, errors of the newer one do not tell.
    let mut old = Envelope::seal(&CardRefundedV1 { amount: Amount(1), card: "4111".to_owned() }, &"/".into()).unwrap();
    old.payload = br#"{"amount":"4111"}"#.to_vec().into();
    old.headers.clear();
    let error = old.open::<CardRefunded>().err().unwrap().to_string();
    assert!(!error.contains("4111") && error.contains("line 1 column"), "{error}");

    assert_eq!(format!("{:?}", CardMade { number: "4111".to_owned() }), "CardMade { number: <sensitive> }");
    assert_eq!(format!("{:?}", CardRefundedV1 { amount: Amount(1), card: String::new() }), "CardRefundedV1 { .. }");
    assert_eq!(SerdeAbove::SENSITIVE, ["card"]);
    let _ = (event.clone() == event, SerdeAbove { card: String::new() }.card);
}
