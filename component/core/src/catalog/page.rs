//! One page of products in Kroger's own form. Repairs only the fields that trip
//! readers; leaves all others as they came.

use serde_json::{Map, Value, json};

use crate::catalog::lenient::{count, list, number};
use crate::catalog::product::Product;
use crate::text::cleaned_json;

/// A page in Kroger's form.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Objects, each of which has a UPC.
    pub data: Vec<Value>,
    /// Kroger's `meta`: pagination and warnings, and a warning of our own for
    /// products that were left out.
    pub meta: Value,
    pub(crate) total: Option<u32>,
    /// How many products had no readable UPC.
    pub(crate) left_out: usize,
}

impl Page {
    /// Reads an answer. None: it has no `data`.
    pub(crate) fn read(answer: &Value) -> Option<Self> {
        let sent = match answer.get("data")? {
            Value::Null => &[][..],
            _ => list(answer, "data"),
        };
        let data: Vec<Value> = sent.iter().filter_map(cleaned_product).collect();
        let left_out = sent.len() - data.len();
        let mut meta =
            answer.get("meta").filter(|meta| meta.is_object()).cloned().map_or_else(|| json!({}), cleaned_json);
        if left_out > 0 {
            let warning = json!(format!("{left_out} of Kroger's products could not be read and were left out."));
            match meta.get_mut("warnings").and_then(Value::as_array_mut) {
                Some(warnings) => warnings.push(warning),
                None => meta["warnings"] = json!([warning]),
            }
        }
        let total = meta.get("pagination").and_then(|pagination| count(pagination, "total"));
        Some(Self { data, meta, total, left_out })
    }
}

/// Repairs a product in Kroger's form. None: it has no readable UPC.
///
/// - `itemInformation` and `temperature`, which are sometimes an empty list, are
///   objects. Lists that are sometimes a single element are lists.
/// - Each price is a number. A promotion that is none is 0.
/// - No text has a hidden character.
/// - The keys of `fulfillment` are spelt as in Kroger's answers, not as in its
///   document.
pub(super) fn cleaned_product(value: &Value) -> Option<Value> {
    Product::read(value)?;
    let mut product = value.clone();
    for name in ["itemInformation", "temperature"] {
        if product.get(name).is_some_and(|field| !field.is_object()) {
            product[name] = json!({});
        }
    }
    for name in ["items", "images", "aisleLocations", "categories"] {
        if product.get(name).is_some_and(|field| !field.is_array()) {
            product[name] = match product[name].take() {
                Value::Null => json!([]),
                only => json!([only]),
            };
        }
    }
    let items = product.get_mut("items").and_then(Value::as_array_mut);
    for item in items.into_iter().flatten().filter_map(Value::as_object_mut) {
        clean_item(item);
    }
    Some(cleaned_json(product))
}

fn clean_item(item: &mut Map<String, Value>) {
    for name in ["price", "nationalPrice"] {
        match item.get(name).map(cleaned_price) {
            Some(Some(price)) => drop(item.insert(name.to_owned(), price)),
            Some(None) => drop(item.remove(name)),
            None => {}
        }
    }
    if let Some(fulfillment) = item.get_mut("fulfillment").and_then(Value::as_object_mut) {
        for (documented, answered) in [("instore", "inStore"), ("shiptohome", "shipToHome")] {
            if let Some(flag) = fulfillment.remove(documented) {
                fulfillment.entry(answered).or_insert(flag);
            }
        }
    }
}

/// None: it holds no price.
fn cleaned_price(value: &Value) -> Option<Value> {
    let regular = number(value, "regular")?;
    let mut price = value.clone();
    price["regular"] = json!(regular);
    let promo = number(value, "promo").filter(|promo| *promo < regular).unwrap_or(0.0);
    price["promo"] = json!(promo);
    for name in ["regularPerUnitEstimate", "promoPerUnitEstimate"] {
        if value.get(name).is_some() {
            price[name] = json!(number(value, name).unwrap_or(0.0));
        }
    }
    if promo == 0.0 && value.get("promoPerUnitEstimate").is_some() {
        price["promoPerUnitEstimate"] = json!(0.0);
    }
    Some(price)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_product_is_left_out_and_counted() {
        let answer = json!({ "data": [{ "upc": "0001111041700" }, null, { "upc": [] }, "x"], "meta": [] });

        let page = Page::read(&answer).unwrap();

        assert_eq!((page.data.len(), page.left_out), (1, 3));
        assert_eq!(page.meta["warnings"][0], "3 of Kroger's products could not be read and were left out.");
        assert_eq!(Page::read(&json!({ "data": null })).unwrap().data.len(), 0);
        assert_eq!(Page::read(&json!({ "meta": {} })), None);
    }

    #[test]
    fn a_product_keeps_krogers_form_except_for_repaired_fields() {
        let odd = json!({
            "upc": "0001111041700", "new": { "x": 1 }, "itemInformation": [], "images": null,
            "items": [
                { "price": { "regular": "1.99", "promo": 1.99 }, "nationalPrice": [],
                  "fulfillment": { "instore": true, "shiptohome": false } },
                5,
            ],
        });

        let clean = cleaned_product(&odd).unwrap();

        assert_eq!(
            clean,
            json!({
                "upc": "0001111041700", "new": { "x": 1 }, "itemInformation": {}, "images": [],
                "items": [
                    { "price": { "regular": 1.99, "promo": 0.0 }, "fulfillment": { "inStore": true, "shipToHome": false } },
                    5,
                ],
            })
        );
    }
}
