//! One product, read from whatever Kroger sends. Asks Kroger nothing.

use std::fmt;

use serde_json::Value;

use crate::catalog::lenient::{count, first_text, flag, has_hidden_part, id, list, number, text, texts};
use crate::catalog::size::{self, Unit};
use crate::item::product_number::KnownProduct;
use crate::item::{Modality, Upc};

/// A product. Absent fields are unknown; price, stock, offers and aisle are known
/// only if the question named a location.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    pub upc: Upc,
    pub description: String,
    pub brand: Option<String>,
    pub categories: Vec<String>,
    /// The size as Kroger writes it: `1 gal`, `16.9 fl oz / 24 pk`.
    pub size: Option<String>,
    pub sold_by: SoldBy,
    /// None: the question named no location, or Kroger tells no price.
    pub price: Option<Price>,
    /// Computed from price and size. None: the size is not certain.
    pub unit_price: Option<UnitPrice>,
    pub stock: Stock,
    pub offered: Offered,
    /// The place inside the supermarket: `Aisle 35`.
    pub aisle: Option<String>,
    /// Kroger's word: `Refrigerated`, `Frozen` or `Ambient`.
    pub temperature: Option<String>,
    pub country_of_origin: Option<String>,
    pub image_url: Option<String>,
    pub age_restricted: Option<bool>,
    pub snap_eligible: Option<bool>,
    /// The least of one order. None: Kroger sets no limit.
    pub least_quantity: Option<u32>,
    /// The most of one order. None: Kroger sets no limit.
    pub most_quantity: Option<u32>,
}

/// What the price of a product is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SoldBy {
    Unit,
    /// One pound, or what `size` says. The weight of a piece varies.
    Weight,
    #[default]
    Unknown,
}

/// Whole cents of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cents(pub u64);

/// The price of one at the location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    pub regular: Cents,
    /// The sale price. None: not on sale.
    pub promo: Option<Cents>,
    /// The expected price of one piece, if it is sold by weight.
    pub estimate: Option<Cents>,
}

/// The price of one unit, in US dollars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitPrice {
    pub dollars: f64,
    pub unit: Unit,
}

/// How much the location has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stock {
    High,
    Low,
    Out,
    /// Kroger does not say. The product may well be there.
    #[default]
    Unknown,
}

/// The ways to get a product at the location. None: Kroger does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    pub in_store: Option<bool>,
    pub pickup: Option<bool>,
    pub delivery: Option<bool>,
    pub shipping: Option<bool>,
}

impl From<&Product> for KnownProduct {
    fn from(product: &Product) -> Self {
        Self { upc: product.upc.clone(), description: product.description.clone() }
    }
}

impl Product {
    /// Reads a product. None: it has no readable UPC.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let ids = ["upc", "productId"];
        if ids.iter().any(|name| has_hidden_part(value, name)) {
            return None;
        }
        let upc = ids.iter().find_map(|name| Upc::parse(&id(value, name)?).ok())?;
        let item = item(value);
        let size = first_text(item, &["size"]).or_else(|| text(value, "size"));
        let sold_by = sold_by(item);
        let price = item.get("price").and_then(|price| read_price(price, sold_by));
        let restrictions = ["retstrictions", "restrictions"].iter().find_map(|name| value.get(*name));
        let restrictions = restrictions.unwrap_or(&Value::Null);
        Some(Self {
            description: first_text(value, &["description", "receiptDescription"])
                .unwrap_or_else(|| format!("Product {}", upc.as_str())),
            brand: text(value, "brand"),
            categories: texts(value, "categories"),
            unit_price: price.as_ref().zip(size.as_deref()).and_then(|(price, size)| price.per_unit(size)),
            size,
            sold_by,
            price,
            stock: stock(item),
            offered: offered(item),
            aisle: list(value, "aisleLocations").iter().find_map(aisle),
            temperature: value.get("temperature").and_then(|temperature| text(temperature, "indicator")),
            country_of_origin: text(value, "countryOrigin"),
            image_url: image(value),
            age_restricted: flag(value, &["ageRestriction"]),
            snap_eligible: flag(value, &["snapEligible"]),
            least_quantity: count(restrictions, "minimumOrderQuantity").filter(|least| *least > 1),
            most_quantity: count(restrictions, "maximumOrderQuantity").filter(|most| *most > 0),
            upc,
        })
    }

    /// The weight that the price is for: `lb`, or Kroger's size. None: it is sold by
    /// the piece.
    pub fn price_per(&self) -> Option<&str> {
        let size = self.size.as_deref().filter(|size| *size != "1 lb");
        (self.sold_by == SoldBy::Weight).then(|| size.unwrap_or("lb"))
    }

    /// True if Kroger told anything about a location.
    pub(crate) fn knows_location(&self) -> bool {
        self.price.is_some() || self.stock != Stock::Unknown || self.offered != Offered::default()
    }

    /// True if the location sells the product in any way. If Kroger does not say, a
    /// price counts as an offer.
    pub(crate) fn is_sold(&self) -> bool {
        let said = [self.offered.in_store, self.offered.pickup, self.offered.delivery, self.offered.shipping];
        match said.into_iter().flatten().reduce(|any, one| any || one) {
            Some(any) => any,
            None => self.price.is_some(),
        }
    }

    pub fn is_in_stock(&self) -> bool {
        self.is_sold() && self.stock != Stock::Out
    }
}

/// The item of a product. Kroger sends one for each product.
fn item(value: &Value) -> &Value {
    list(value, "items").iter().find(|item| item.is_object()).unwrap_or(&Value::Null)
}

fn sold_by(item: &Value) -> SoldBy {
    match text(item, "soldBy").unwrap_or_default().to_ascii_uppercase().as_str() {
        "UNIT" => SoldBy::Unit,
        "WEIGHT" => SoldBy::Weight,
        _ => SoldBy::Unknown,
    }
}

fn stock(item: &Value) -> Stock {
    let level = item.get("inventory").and_then(|inventory| text(inventory, "stockLevel"));
    match level.as_deref() {
        Some("HIGH") => Stock::High,
        Some("LOW") => Stock::Low,
        Some("TEMPORARILY_OUT_OF_STOCK") => Stock::Out,
        _ => Stock::Unknown,
    }
}

/// Reads the ways to get a product. Kroger's document and its answers spell two of
/// them differently.
fn offered(item: &Value) -> Offered {
    let fulfillment = item.get("fulfillment").unwrap_or(&Value::Null);
    Offered {
        in_store: flag(fulfillment, &["inStore", "instore"]),
        pickup: flag(fulfillment, &["curbside"]),
        delivery: flag(fulfillment, &["delivery"]),
        shipping: flag(fulfillment, &["shipToHome", "shiptohome"]),
    }
}

/// Reads a price. A promotion of 0, or one that is not lower, is none.
///
/// Kroger sends an estimate for every product; it differs from the price only for
/// those sold by weight.
fn read_price(value: &Value, sold_by: SoldBy) -> Option<Price> {
    let cents = |name: &str| number(value, name).and_then(Cents::of_dollars).filter(|cents| cents.0 > 0);
    let regular = cents("regular").or_else(|| cents("promo"))?;
    let promo = cents("promo").filter(|promo| *promo < regular);
    let estimate = if promo.is_some() { cents("promoPerUnitEstimate") } else { cents("regularPerUnitEstimate") };
    Some(Price { regular, promo, estimate: estimate.filter(|_| sold_by == SoldBy::Weight) })
}

fn aisle(value: &Value) -> Option<String> {
    text(value, "description").or_else(|| Some(format!("Aisle {}", text(value, "number")?)))
}

/// The image of the front, in medium size if there is one. Only https.
fn image(product: &Value) -> Option<String> {
    let images = list(product, "images");
    let is_front = |image: &&Value| text(image, "perspective").as_deref() == Some("front");
    let sizes = list(images.iter().find(is_front).or(images.first())?, "sizes");
    let is_medium = |size: &&Value| text(size, "size").as_deref() == Some("medium");
    let url = text(sizes.iter().find(is_medium).or(sizes.first())?, "url")?;
    url.starts_with("https://").then_some(url)
}

impl Price {
    /// The price now: the sale price, else the regular one.
    pub fn current(&self) -> Cents {
        self.promo.unwrap_or(self.regular)
    }

    fn per_unit(&self, size: &str) -> Option<UnitPrice> {
        let amount = size::amount(size)?;
        Some(UnitPrice { dollars: self.current().dollars() / amount.number, unit: amount.unit })
    }
}

impl Cents {
    fn of_dollars(dollars: f64) -> Option<Self> {
        let cents = (dollars * 100.0).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        (0.0..1e12).contains(&cents).then_some(Self(cents as u64))
    }

    #[expect(clippy::cast_precision_loss, reason = "nobody pays as much as that")]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / 100.0
    }

    #[must_use]
    pub(crate) fn times(self, quantity: u32) -> Self {
        Self(self.0.saturating_mul(quantity.into()))
    }
}

impl std::iter::Sum for Cents {
    fn sum<I: Iterator<Item = Self>>(cents: I) -> Self {
        cents.fold(Self(0), |sum, one| Self(sum.0.saturating_add(one.0)))
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl fmt::Display for UnitPrice {
    /// Writes `$0.016/fl oz`: tenths of a cent below one dollar, else cents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.dollars < 1.0 { 3 } else { 2 };
        write!(f, "${:.digits$}/{}", self.dollars, self.unit.as_str())
    }
}

impl Stock {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Low => "low",
            Self::Out => "out",
            Self::Unknown => "unknown",
        }
    }
}

impl Offered {
    /// Whether the location offers the product this way. None: Kroger does not say.
    pub(crate) fn by(self, modality: Modality) -> Option<bool> {
        match modality {
            Modality::Pickup => self.pickup,
            Modality::Delivery => self.delivery,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn milk() -> Value {
        json!({
            "productId": "0001111041700", "upc": "0001111041700", "brand": "Kroger", "categories": ["Dairy"],
            "description": "Kroger 2% Reduced Fat Milk", "countryOrigin": "UNITED STATES",
            "aisleLocations": [{ "description": "Aisle 35", "number": "35" }],
            "items": [{
                "itemId": "0001111041700", "inventory": { "stockLevel": "HIGH" },
                "fulfillment": { "curbside": true, "delivery": true, "inStore": true, "shipToHome": false },
                "price": { "regular": 1.99, "promo": 1.59 }, "size": "1 gal", "soldBy": "UNIT",
            }],
            "itemInformation": [], "temperature": { "indicator": "Refrigerated" },
            "images": [
                { "perspective": "back", "sizes": [{ "size": "medium", "url": "https://x/back" }] },
                { "perspective": "front", "sizes": [
                    { "size": "small", "url": "https://x/small" }, { "size": "medium", "url": "https://x/front" },
                ] },
            ],
            "somethingNew": { "a": [1] },
        })
    }

    #[test]
    fn a_product_is_read_whole() {
        let product = Product::read(&milk()).unwrap();

        assert_eq!(product.upc.as_str(), "0001111041700");
        assert_eq!(product.price, Some(Price { regular: Cents(199), promo: Some(Cents(159)), estimate: None }));
        assert_eq!(product.unit_price.unwrap().to_string(), "$0.012/fl oz");
        assert_eq!((product.stock, product.sold_by), (Stock::High, SoldBy::Unit));
        assert_eq!(product.offered.by(Modality::Pickup), Some(true));
        assert_eq!(product.offered.shipping, Some(false));
        assert_eq!(product.aisle.as_deref(), Some("Aisle 35"));
        assert_eq!(product.image_url.as_deref(), Some("https://x/front"));
        assert!(product.is_in_stock());
    }

    #[test]
    fn a_product_is_read_whatever_one_field_holds() {
        let names: Vec<String> = milk().as_object().unwrap().keys().cloned().collect();
        for name in names.iter().filter(|name| *name != "upc") {
            for odd in [Value::Null, json!([]), json!({}), json!("x"), json!(5), json!([[]]), json!([null])] {
                let mut value = milk();
                value[name] = odd.clone();
                assert!(Product::read(&value).is_some(), "{name} = {odd}");
            }
        }
        for name in ["inventory", "fulfillment", "price", "size", "soldBy"] {
            for odd in [Value::Null, json!([]), json!("x"), json!(-5), json!({ "regular": [], "stockLevel": {} })] {
                let mut value = milk();
                value["items"][0][name] = odd.clone();
                assert!(Product::read(&value).is_some(), "{name} = {odd}");
            }
        }
        assert_eq!(Product::read(&json!({ "upc": "1111041700" })).unwrap().description, "Product 0001111041700");
        for nothing in [json!({}), json!(null), json!("milk"), json!({ "upc": "milk" }), json!({ "upc": "0" })] {
            assert_eq!(Product::read(&nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_promotion_of_zero_or_no_lower_price_is_no_sale() {
        let read = |price: Value| {
            let mut value = milk();
            value["items"][0]["price"] = price;
            Product::read(&value).unwrap().price.map(|price| (price.regular.0, price.promo.map(|promo| promo.0)))
        };
        assert_eq!(read(json!({ "regular": 1.99, "promo": 0 })), Some((199, None)));
        assert_eq!(read(json!({ "regular": 1.99, "promo": 1.99 })), Some((199, None)));
        assert_eq!(read(json!({ "regular": 1.99, "promo": 2.49 })), Some((199, None)));
        assert_eq!(read(json!({ "regular": "1.99", "promo": "1.5" })), Some((199, Some(150))));
        assert_eq!(read(json!({ "promo": 1.5 })), Some((150, None)));
        assert_eq!(read(json!({ "regular": 0, "promo": 0 })), None);
        assert_eq!(read(json!({})), None);
    }

    #[test]
    fn an_absent_field_does_not_mean_no() {
        let mut value = milk();
        value["items"][0]["inventory"] = json!({});
        value["items"][0]["fulfillment"] = json!({ "instore": true, "shiptohome": true });
        let product = Product::read(&value).unwrap();

        assert_eq!(product.stock, Stock::Unknown);
        assert_eq!(product.offered.by(Modality::Delivery), None);
        assert_eq!((product.offered.in_store, product.offered.shipping), (Some(true), Some(true)));
        assert!(product.is_in_stock());
        value["items"][0]["fulfillment"] = json!({ "instore": false, "curbside": false, "delivery": false });
        assert!(!Product::read(&value).unwrap().is_sold());
    }
}
