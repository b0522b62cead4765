//! Keeps the customers' carts, and checks what a call puts into them.
//!
//! Never takes anything out of a cart, as at Kroger. Checks no token.

use std::collections::{BTreeMap, HashMap};

use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::answers::gateway_refusal;

/// An item to add, with a valid UPC and a positive quantity.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Item {
    upc: String,
    quantity: u32,
    modality: Modality,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Modality {
    #[default]
    Pickup,
    Delivery,
}

/// A line of a cart: all adds of one product for one modality, summed.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CartLine {
    pub(crate) upc: String,
    pub(crate) quantity: u64,
    pub(crate) modality: Modality,
}

/// The cart of every customer who added something.
#[derive(Default)]
pub(crate) struct Carts(BTreeMap<String, Cart>);

/// One customer's lines, in the order of their first add.
///
/// It grows only with the number of distinct products.
#[derive(Default)]
struct Cart {
    lines: Vec<CartLine>,
    positions: HashMap<(String, Modality), usize>,
}

/// Why Kroger answers 400 to an add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemsRefusal {
    Unparseable,
    Upc,
    Modality,
}

#[derive(Deserialize)]
struct AddRequest {
    items: Vec<ItemRequest>,
}

#[derive(Deserialize)]
struct ItemRequest {
    upc: String,
    quantity: u32,
    modality: Option<String>,
}

impl Modality {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pickup => "PICKUP",
            Self::Delivery => "DELIVERY",
        }
    }
}

impl ItemsRefusal {
    /// Returns Kroger's words.
    fn reason(self) -> &'static str {
        match self {
            Self::Unparseable => "Cannot parse parameters",
            Self::Upc => "UPC must have a length of 13 characters",
            Self::Modality => "Modality must be omitted or equal one of the following codes: DELIVERY, PICKUP",
        }
    }
}

impl IntoResponse for ItemsRefusal {
    /// Answers without an `errors` field, as in Kroger's document of the cart.
    fn into_response(self) -> Response {
        gateway_refusal(self.reason())
    }
}

/// Parses the items of a request body, or returns the first mistake in them.
pub(crate) fn parse_items(body: &[u8]) -> Result<Vec<Item>, ItemsRefusal> {
    let request: AddRequest = serde_json::from_slice(body).map_err(|_| ItemsRefusal::Unparseable)?;
    if request.items.is_empty() {
        return Err(ItemsRefusal::Unparseable);
    }
    request.items.into_iter().map(Item::try_from).collect()
}

impl TryFrom<ItemRequest> for Item {
    type Error = ItemsRefusal;

    fn try_from(request: ItemRequest) -> Result<Self, ItemsRefusal> {
        if request.quantity == 0 {
            return Err(ItemsRefusal::Unparseable);
        }
        if request.upc.chars().count() != 13 {
            return Err(ItemsRefusal::Upc);
        }
        let modality = match request.modality.as_deref() {
            None | Some("PICKUP") => Modality::Pickup,
            Some("DELIVERY") => Modality::Delivery,
            Some(_) => return Err(ItemsRefusal::Modality),
        };
        Ok(Self { upc: request.upc, quantity: request.quantity, modality })
    }
}

impl Carts {
    /// Adds all of `items` to the cart of `user`.
    ///
    /// The same call twice adds twice: Kroger's add is not idempotent either.
    pub(crate) fn add(&mut self, user: String, items: Vec<Item>) {
        self.0.entry(user).or_default().add(items);
    }

    pub(crate) fn lines_of(&self, user: &str) -> &[CartLine] {
        self.0.get(user).map_or(&[][..], |cart| &cart.lines)
    }

    /// Returns every customer's lines, sorted by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &[CartLine])> {
        self.0.iter().map(|(user, cart)| (user.as_str(), cart.lines.as_slice()))
    }
}

impl Cart {
    fn add(&mut self, items: Vec<Item>) {
        for item in items {
            let place = (item.upc, item.modality);
            match self.positions.get(&place) {
                Some(&position) => self.lines[position].quantity += u64::from(item.quantity),
                None => self.append(place, item.quantity),
            }
        }
    }

    fn append(&mut self, place: (String, Modality), quantity: u32) {
        let (upc, modality) = place.clone();
        self.positions.insert(place, self.lines.len());
        self.lines.push(CartLine { upc, quantity: quantity.into(), modality });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_of_one_product_are_summed_for_each_modality() {
        let mut cart = Cart::default();
        let body = br#"{"items":[{"upc":"0001111041700","quantity":2},
            {"upc":"0001111041700","quantity":1,"modality":"DELIVERY"}]}"#;
        cart.add(parse_items(body).unwrap());
        cart.add(parse_items(body).unwrap());
        let quantities: Vec<_> = cart.lines.iter().map(|line| (line.modality.name(), line.quantity)).collect();
        assert_eq!(quantities, [("PICKUP", 4), ("DELIVERY", 2)]);
    }

    #[test]
    fn wrong_upc_wrong_modality_and_missing_items_are_refused() {
        let refused = |body: &str| parse_items(body.as_bytes()).unwrap_err();
        let item = |item: &str| refused(&format!(r#"{{"items":[{item}]}}"#));
        assert_eq!(item(r#"{"upc":"123","quantity":1}"#), ItemsRefusal::Upc);
        let modality = r#"{"upc":"0001111041700","quantity":1,"modality":"pickup"}"#;
        assert_eq!(item(modality), ItemsRefusal::Modality);
        for unparseable in [
            r#"{"upc":"0001111041700","quantity":0}"#,
            r#"{"upc":"0001111041700","quantity":1.5}"#,
            r#"{"upc":"0001111041700"}"#,
            r#"{"upc":1111041700,"quantity":1}"#,
        ] {
            assert_eq!(item(unparseable), ItemsRefusal::Unparseable, "{unparseable}");
        }
        assert_eq!(refused("items=1"), ItemsRefusal::Unparseable);
        assert_eq!(refused(r#"{"items":[]}"#), ItemsRefusal::Unparseable);
        assert_eq!(refused("{}"), ItemsRefusal::Unparseable);
    }
}
