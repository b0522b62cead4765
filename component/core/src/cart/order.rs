//! Reads cart items as callers give them, into items that cannot be wrong. Notes
//! each correction. Sends nothing.

use crate::failure::Failure;
use crate::item::{Item, Modality, Quantity, Upc};

/// The most items of one request.
const MOST_ITEMS: usize = 100;

/// One item as a caller gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    pub upc: String,
    pub quantity: u32,
    /// None: the default modality.
    pub modality: Option<Modality>,
}

/// The items of one cart add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub items: Vec<Item>,
    /// A sentence for each corrected input.
    pub notes: Vec<String>,
}

/// Reads the single item of a call. An error names `upc` or `quantity`.
pub fn one(given: &Given, default: Modality) -> Result<Order, Failure> {
    let mut order = Order { items: Vec::with_capacity(1), notes: Vec::new() };
    order.add(given, default, str::to_owned)?;
    Ok(order)
}

/// Reads the items of a call. An error names its field, such as `items[2].upc`.
pub fn many(given: &[Given], default: Modality) -> Result<Order, Failure> {
    check_count(given.len())?;
    let mut order = Order { items: Vec::with_capacity(given.len()), notes: Vec::new() };
    for (index, item) in given.iter().enumerate() {
        order.add(item, default, |field| format!("items[{index}].{field}"))?;
    }
    Ok(order)
}

/// Refuses a call with no items, or with more than `MOST_ITEMS`.
pub fn check_count(count: usize) -> Result<(), Failure> {
    if (1..=MOST_ITEMS).contains(&count) {
        return Ok(());
    }
    Err(Failure::invalid_argument("items", &format!("1 to {MOST_ITEMS} items")))
}

impl Order {
    fn add(&mut self, given: &Given, default: Modality, name: impl Fn(&str) -> String) -> Result<(), Failure> {
        let read = Upc::parse(&given.upc).map_err(|allowed| Failure::invalid_argument(&name("upc"), allowed))?;
        let quantity =
            Quantity::new(given.quantity).map_err(|allowed| Failure::invalid_argument(&name("quantity"), allowed))?;
        self.notes.extend(read.note);
        self.items.push(Item { upc: read.upc, quantity, modality: given.modality.unwrap_or(default) });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(upc: &str, quantity: u32) -> Given {
        Given { upc: upc.to_owned(), quantity, modality: None }
    }

    #[test]
    fn an_item_takes_the_default_modality_and_notes_corrections() {
        let order = one(&given("1111041700", 2), Modality::Delivery).unwrap();

        assert_eq!(order.items[0].upc.as_str(), "0001111041700");
        assert_eq!(order.items[0].modality, Modality::Delivery);
        assert_eq!(order.notes, ["The UPC 1111041700 was read as 0001111041700."]);
    }

    #[test]
    fn an_error_names_the_wrong_field_of_the_item() {
        let wrong = many(&[given("0001111041700", 1), given("0001111041700", 0)], Modality::Pickup).unwrap_err();

        assert_eq!(wrong, Failure::invalid_argument("items[1].quantity", "a whole number from 1 to 999"));
    }

    #[test]
    fn an_order_of_no_items_or_too_many_is_refused() {
        for count in [0, MOST_ITEMS + 1] {
            assert!(many(&vec![given("0001111041700", 1); count], Modality::Pickup).is_err(), "{count}");
        }
    }
}
