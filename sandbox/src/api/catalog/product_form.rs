//! Writes products in Kroger's JSON, with the oddities that clients have met.
//!
//! `inStore` and `shipToHome` are named as in real answers, not as in Kroger's document;
//! `itemInformation` may be an empty list; a price or a stock level may be missing.

use serde_json::{Value, json};

use super::{
    hash::hash,
    products::{LocationOffer, Product},
    shelves::{Quirk, SoldBy, Temperature},
};

/// Writes a product.
///
/// Without a location it has no price, stock, fulfilment and aisle.
pub(super) fn product_form(product: &Product, location: Option<&str>) -> Value {
    let is_alcohol = product.shelf.category.starts_with("Beer");
    let mut form = json!({
        "productId": product.upc,
        "productPageURI": format!("/p/{}/{}", slug(&product.description), product.upc),
        "upc": product.upc,
        "aisleLocations": aisles(product, location),
        "brand": product.brand,
        "categories": [product.shelf.category],
        "countryOrigin": "UNITED STATES",
        "description": product.description,
        "alcohol": is_alcohol,
        "ageRestriction": is_alcohol,
        "snapEligible": !is_alcohol,
        "items": [item(product, location)],
        "itemInformation": dimensions(product),
        "images": images(&product.upc),
    });
    // Some shelves do not report the temperature.
    if product.shelf.category != "Pet Care" {
        form["temperature"] = json!({"indicator": indicator(product.shelf.temperature), "heatSensitive": false});
    }
    if product.quirk == Some(Quirk::AtMostTwo) {
        // The misspelling is that of Kroger's document.
        form["retstrictions"] = json!({"maximumOrderQuantity": 2, "minimumOrderQuantity": 1});
    }
    form
}

fn item(product: &Product, location: Option<&str>) -> Value {
    let sold_by = match product.shelf.sold_by {
        SoldBy::Unit => "UNIT",
        SoldBy::Weight => "WEIGHT",
    };
    let mut item = json!({"itemId": product.upc, "favorite": false, "size": product.size, "soldBy": sold_by});
    let Some(location) = location else { return item };
    let offer = product.at(location);
    item["fulfillment"] = fulfillment(offer.as_ref());
    let Some(offer) = offer else { return item };
    if let Some(regular) = offer.regular_cents {
        item["price"] = price(product, regular, offer.promo_cents);
        item["nationalPrice"] = price(product, regular, offer.promo_cents);
    }
    if let Some(level) = offer.stock {
        item["inventory"] = json!({"stockLevel": level});
    }
    item
}

/// Offers nothing if the location does not sell the product.
fn fulfillment(offer: Option<&LocationOffer>) -> Value {
    json!({
        "curbside": offer.is_some_and(|offer| offer.curbside),
        "delivery": offer.is_some_and(|offer| offer.delivery),
        "inStore": offer.is_some(),
        "shipToHome": offer.is_some_and(|offer| offer.ship_to_home),
    })
}

fn price(product: &Product, regular: u32, promo: u32) -> Value {
    let dollars = |cents: u32| f64::from(cents) / 100.0;
    json!({
        "regular": dollars(regular),
        "promo": dollars(promo),
        "regularPerUnitEstimate": dollars(product.cents_of_one(regular)),
        "promoPerUnitEstimate": dollars(product.cents_of_one(promo)),
        "expirationDate": {"value": "9999-12-31T00:00:00Z", "timezone": "UTC"},
    })
}

fn aisles(product: &Product, location: Option<&str>) -> Value {
    let Some(location) = location.filter(|location| product.at(location).is_some()) else { return json!([]) };
    let position = |what: &str, most: u32| (1 + hash(&[&product.upc, location, what]) % most).to_string();
    json!([{
        "bayNumber": position("bay", 20),
        "description": format!("Aisle {}", product.shelf.aisle),
        "number": product.shelf.aisle,
        "numberOfFacings": position("facings", 6),
        "side": if hash(&[&product.upc, location]).is_multiple_of(2) { "L" } else { "R" },
        "shelfNumber": position("shelf", 6),
        "shelfPositionInBay": position("position", 9),
    }])
}

/// Writes the dimensions. One product in eight has none; then Kroger writes an empty list.
fn dimensions(product: &Product) -> Value {
    let side = |what: &str| (2 + hash(&[&product.upc, what]) % 10).to_string();
    if product.quirk.is_none() && hash(&[&product.upc, "dimensions"]).is_multiple_of(8) {
        return json!([]);
    }
    json!({"depth": side("depth"), "height": side("height"), "width": side("width")})
}

fn images(upc: &str) -> Value {
    let url = |size: &str, side: &str| format!("https://www.kroger.com/product/images/{size}/{side}/{upc}");
    let sizes = |side: &str| ["small", "medium", "large"].map(|size| json!({"size": size, "url": url(size, side)}));
    json!([
        {"perspective": "front", "featured": true, "sizes": sizes("front")},
        {"perspective": "back", "sizes": sizes("back")},
    ])
}

fn indicator(temperature: Temperature) -> &'static str {
    match temperature {
        Temperature::Ambient => "Ambient",
        Temperature::Refrigerated => "Refrigerated",
        Temperature::Frozen => "Frozen",
    }
}

fn slug(description: &str) -> String {
    let words = description.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}
