//! What a customer hands in, and what the shop makes of it. Knows no database.

use serde::{Deserialize, Serialize};

/// An order as a customer places it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrder {
    /// Given by whoever imports orders from elsewhere; otherwise the shop numbers them.
    pub(crate) order_id: Option<i64>,
    pub(crate) customer: String,
    pub(crate) ship_to: Address,
    #[serde(default)]
    pub(crate) freight_cents: i64,
    pub(crate) lines: Vec<Line>,
}

/// Where the goods go.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Address {
    pub(crate) name: String,
    pub(crate) city: String,
    pub(crate) country: String,
}

/// One product on an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) product_id: i64,
    pub(crate) quantity: i64,
    pub(crate) unit_price_cents: i64,
    #[serde(default)]
    pub(crate) discount_percent: i64,
}

/// Limits that keep every sum far below what 64 bits hold.
const MAX_LINES: usize = 1_000;
const MAX_QUANTITY: i64 = 100_000;
const MAX_CENTS: i64 = 1_000_000_000;

impl NewOrder {
    /// What the customer owes: all lines and the freight.
    pub(crate) fn total_cents(&self) -> i64 {
        self.lines.iter().map(Line::total_cents).sum::<i64>() + self.freight_cents
    }

    /// Says what is wrong with the order, if anything is.
    pub(crate) fn check(&self) -> Result<(), String> {
        let rule = |holds: bool, message: &str| if holds { Ok(()) } else { Err(message.to_owned()) };
        let filled = |text: &str| !text.trim().is_empty();
        rule(self.order_id.is_none_or(|id| id > 0), "`order_id` must be at least 1")?;
        rule(filled(&self.customer), "`customer` is empty")?;
        let Address { name, city, country } = &self.ship_to;
        rule(filled(name) && filled(city) && filled(country), "`ship_to` needs a name, a city and a country")?;
        rule((0..=MAX_CENTS).contains(&self.freight_cents), "`freight_cents` must be between 0 and 1000000000")?;
        rule(!self.lines.is_empty(), "an order needs at least one line")?;
        rule(self.lines.len() <= MAX_LINES, "an order has at most 1000 lines")?;
        for (index, line) in self.lines.iter().enumerate() {
            line.check().map_err(|reason| format!("line {}: {reason}", index + 1))?;
        }
        Ok(())
    }
}

impl Line {
    /// The price after the discount, rounded to the nearest cent.
    fn total_cents(&self) -> i64 {
        (self.unit_price_cents * self.quantity * (100 - self.discount_percent) + 50) / 100
    }

    fn check(&self) -> Result<(), String> {
        let between = |name: &str, value: i64, least: i64, most: i64| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(format!("`{name}` is {value}; it must be between {least} and {most}"))
            }
        };
        between("quantity", self.quantity, 1, MAX_QUANTITY)?;
        between("unit_price_cents", self.unit_price_cents, 0, MAX_CENTS)?;
        between("discount_percent", self.discount_percent, 0, 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(quantity: i64, unit_price_cents: i64, discount_percent: i64) -> Line {
        Line { product_id: 11, quantity, unit_price_cents, discount_percent }
    }

    fn order(lines: Vec<Line>) -> NewOrder {
        let ship_to = Address { name: "Toms Spezialitäten".into(), city: "Münster".into(), country: "Germany".into() };
        NewOrder { order_id: None, customer: "TOMSP".into(), ship_to, freight_cents: 1_161, lines }
    }

    #[test]
    fn the_total_is_lines_after_discount_plus_freight() {
        assert_eq!(order(vec![line(12, 1_400, 0), line(10, 980, 15)]).total_cents(), 16_800 + 8_330 + 1_161);
    }

    #[test]
    fn half_a_cent_is_rounded_up() {
        assert_eq!(line(1, 1, 50).total_cents(), 1);
        assert_eq!(line(1, 1, 51).total_cents(), 0);
    }

    #[test]
    fn the_largest_order_does_not_overflow() {
        let order = order(vec![line(MAX_QUANTITY, MAX_CENTS, 0); MAX_LINES]);
        order.check().expect("a valid order");
        assert_eq!(order.total_cents(), 100_000_000_000_000_000 + 1_161);
    }

    #[test]
    fn a_bad_line_is_named() {
        let reason = order(vec![line(1, 1, 0), line(0, 1, 0)]).check().expect_err("a bad order");
        assert_eq!(reason, "line 2: `quantity` is 0; it must be between 1 and 100000");
        assert!(order(vec![]).check().expect_err("a bad order").contains("at least one line"));
    }
}
