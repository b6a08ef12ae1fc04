//! 830 orders of the Northwind sample shop, 1996 to 1998, embedded in the program. See `data/README.md`.

use crate::order::{Address, Line, NewOrder};
use anyhow::Context;
use serde::{Deserialize, Deserializer, de::Error};
use std::collections::HashMap;

const ORDERS: &str = include_str!("../data/orders.csv");
const LINES: &str = include_str!("../data/order_lines.csv");

/// An order of the past.
#[derive(Clone, Debug)]
pub(crate) struct PastOrder {
    pub(crate) order_id: i64,
    pub(crate) order: NewOrder,
    /// 21 orders had not left the house when the records end.
    pub(crate) was_shipped: bool,
}

#[derive(Deserialize)]
struct OrderRow {
    order_id: i64,
    customer_id: String,
    shipped_on: String,
    #[serde(deserialize_with = "hundredths")]
    freight: i64,
    ship_name: String,
    ship_city: String,
    ship_country: String,
}

#[derive(Deserialize)]
struct LineRow {
    order_id: i64,
    product_id: i64,
    #[serde(deserialize_with = "hundredths")]
    unit_price: i64,
    quantity: i64,
    #[serde(deserialize_with = "hundredths")]
    discount: i64,
}

/// All orders, oldest first.
pub(crate) fn orders() -> anyhow::Result<Vec<PastOrder>> {
    let mut lines: HashMap<i64, Vec<Line>> = HashMap::new();
    for row in csv::Reader::from_reader(LINES.as_bytes()).deserialize() {
        let LineRow { order_id, product_id, unit_price, quantity, discount } = row.context("reading data/order_lines.csv")?;
        let line = Line { product_id, quantity, unit_price_cents: unit_price, discount_percent: discount };
        lines.entry(order_id).or_default().push(line);
    }
    csv::Reader::from_reader(ORDERS.as_bytes())
        .deserialize()
        .map(|row| {
            let row: OrderRow = row.context("reading data/orders.csv")?;
            let order = NewOrder {
                order_id: Some(row.order_id),
                customer: row.customer_id,
                ship_to: Address { name: row.ship_name, city: row.ship_city, country: row.ship_country },
                freight_cents: row.freight,
                lines: lines.remove(&row.order_id).unwrap_or_default(),
            };
            Ok(PastOrder { order_id: row.order_id, order, was_shipped: !row.shipped_on.is_empty() })
        })
        .collect()
}

/// `9.8` is 980 cents, and a discount of `0.15` is 15 percent: exact, without a detour over binary fractions.
fn hundredths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_hundredths(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no amount with at most two decimals")))
}

fn parse_hundredths(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 2 || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let decimals: u32 = format!("{decimals:0<2}").parse().ok()?;
    Some(i64::from(whole) * 100 + i64::from(decimals))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_orders_are_there_and_valid() {
        let orders = orders().expect("readable files");
        assert_eq!(orders.len(), 830);
        assert_eq!(orders.iter().map(|past| past.order.lines.len()).sum::<usize>(), 2_155);
        assert_eq!(orders.iter().filter(|past| !past.was_shipped).count(), 21);
        assert_eq!(orders[1].order.ship_to.name, "Toms Spezialitäten");
        for past in &orders {
            past.order.check().expect("a valid order");
        }
    }

    #[test]
    fn amounts_are_read_exactly() {
        assert_eq!(parse_hundredths("9.8"), Some(980));
        assert_eq!(parse_hundredths("0.15"), Some(15));
        assert_eq!(parse_hundredths("14"), Some(1_400));
        assert_eq!(parse_hundredths("0.001"), None);
        assert_eq!(parse_hundredths("1.-5"), None);
        assert_eq!(parse_hundredths("-1.5"), None);
    }
}
