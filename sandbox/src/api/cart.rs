//! A cart and what may be put into it. There is no way to take anything out, as at Kroger.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Something to add: a valid UPC, a positive quantity.
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

/// One line of a cart: all adds of one product for one modality, summed.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    pub(crate) upc: String,
    pub(crate) quantity: u64,
    pub(crate) modality: Modality,
}

/// Lines in the order of their first add. It grows with the number of distinct products only.
#[derive(Default)]
pub(crate) struct Cart {
    lines: Vec<Line>,
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
    /// Kroger's words.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Unparseable => "Cannot parse parameters",
            Self::Upc => "UPC must have a length of 13 characters",
            Self::Modality => "Modality must be omitted or equal one of the following codes: DELIVERY, PICKUP",
        }
    }
}

/// The items of a request body, or the first thing wrong with them.
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

impl Cart {
    pub(crate) fn add(&mut self, items: Vec<Item>) {
        for item in items {
            let key = (item.upc, item.modality);
            match self.positions.get(&key) {
                Some(&position) => self.lines[position].quantity += u64::from(item.quantity),
                None => self.append(key, item.quantity),
            }
        }
    }

    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    fn append(&mut self, key: (String, Modality), quantity: u32) {
        let (upc, modality) = key.clone();
        self.positions.insert(key, self.lines.len());
        self.lines.push(Line { upc, quantity: quantity.into(), modality });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_product_twice_is_one_line_with_the_sum_and_a_modality_is_a_line_of_its_own() {
        let mut cart = Cart::default();
        let body = br#"{"items":[{"upc":"0001111041700","quantity":2},
            {"upc":"0001111041700","quantity":1,"modality":"DELIVERY"}]}"#;
        cart.add(parse_items(body).unwrap());
        cart.add(parse_items(body).unwrap());
        let quantities: Vec<_> = cart.lines().iter().map(|line| (line.modality.name(), line.quantity)).collect();
        assert_eq!(quantities, [("PICKUP", 4), ("DELIVERY", 2)]);
    }

    #[test]
    fn kroger_refuses_what_is_not_thirteen_long_no_known_modality_or_no_items() {
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
