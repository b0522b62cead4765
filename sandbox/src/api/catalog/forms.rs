//! The catalogue in Kroger's JSON, with the oddities that clients have met: `inStore` and
//! `shipToHome` where the document says otherwise, an `itemInformation` that is an empty list, a
//! price or a stock level that is not there.

use serde_json::{Map, Value, json};

use super::{
    locations::{Chain, DEPARTMENTS, Opening, Store},
    products::{Offer, Product, hash},
    shelves::{Keeps, Quirk, SoldBy},
};

const WEEK: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Price, stock, fulfilment and aisle only where there is a location to tell them.
pub(super) fn product(product: &Product, location: Option<&str>) -> Value {
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
    // At some shelves nobody says how it is kept.
    if product.shelf.category != "Pet Care" {
        form["temperature"] = json!({"indicator": indicator(product.shelf.keeps), "heatSensitive": false});
    }
    if product.quirk == Some(Quirk::AtMostTwo) {
        // Spelt as Kroger's document spells it.
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

/// Where the store does not sell it, nothing is offered.
fn fulfillment(offer: Option<&Offer>) -> Value {
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
    let place = |what: &str, most: u32| (1 + hash(&[&product.upc, location, what]) % most).to_string();
    json!([{
        "bayNumber": place("bay", 20),
        "description": format!("Aisle {}", product.shelf.aisle),
        "number": product.shelf.aisle,
        "numberOfFacings": place("facings", 6),
        "side": if hash(&[&product.upc, location]).is_multiple_of(2) { "L" } else { "R" },
        "shelfNumber": place("shelf", 6),
        "shelfPositionInBay": place("position", 9),
    }])
}

/// One product in eight has none, which is an empty list then.
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

fn indicator(keeps: Keeps) -> &'static str {
    match keeps {
        Keeps::Ambient => "Ambient",
        Keeps::Refrigerated => "Refrigerated",
        Keeps::Frozen => "Frozen",
    }
}

fn slug(description: &str) -> String {
    let words = description.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

pub(super) fn store(store: &Store) -> Value {
    let departments: Vec<Value> = store.departments().map(|id| department_of(store, id)).collect();
    let mut form = json!({
        "locationId": store.id,
        "storeNumber": &store.id[3..],
        "divisionNumber": &store.id[..3],
        "chain": store.chain,
        "name": format!("{} {}", title_case(store.chain), store.vanity),
        "address": {
            "addressLine1": store.street,
            "city": store.city,
            "state": store.state,
            "zipCode": store.zip,
        },
        "geolocation": {
            "latLng": format!("{},{}", store.latitude, store.longitude),
            "latitude": store.latitude,
            "longitude": store.longitude,
        },
        "departments": departments,
    });
    // A store that does not say when it opens has no telephone either.
    if store.opening != Opening::Unsaid {
        form["hours"] = hours(store.opening, Some(timezone(store.state)));
        form["phone"] = json!(telephone(store.id));
    }
    form
}

fn department_of(store: &Store, id: &str) -> Value {
    let name = DEPARTMENTS.iter().find(|(known, _)| *known == id).map(|(_, name)| *name);
    let mut form = json!({"departmentId": id, "name": name});
    if matches!(id, "09" | "14") {
        form["phone"] = json!(telephone(&format!("{}{id}", store.id)));
        form["hours"] = hours(Opening::Short, None);
    }
    form
}

fn hours(opening: Opening, timezone: Option<&str>) -> Value {
    let (open, close, open24) = match opening {
        Opening::Always => ("00:00", "00:00", true),
        Opening::Long => ("06:00", "23:00", false),
        Opening::Short | Opening::Unsaid => ("08:00", "20:00", false),
    };
    let day = json!({"open": open, "close": close, "open24": open24});
    let mut hours: Map<String, Value> = WEEK.iter().map(|name| ((*name).to_owned(), day.clone())).collect();
    hours.insert("open24".into(), open24.into());
    if let Some(timezone) = timezone {
        hours.insert("timezone".into(), timezone.into());
    }
    hours.into()
}

fn timezone(state: &str) -> &'static str {
    match state {
        "IN" => "America/Indiana/Indianapolis",
        "TN" | "TX" => "America/Chicago",
        "CO" => "America/Denver",
        "AZ" => "America/Phoenix",
        "CA" | "OR" | "WA" => "America/Los_Angeles",
        _ => "America/New_York",
    }
}

/// Ten digits; 555-01xx belongs to nobody.
fn telephone(of: &str) -> String {
    format!("55555501{:02}", hash(&[of]) % 100)
}

fn title_case(words: &str) -> String {
    let titled = words.split(' ').map(|word| match word.len() {
        0..=3 => word.to_owned(),
        _ => word[..1].to_owned() + &word[1..].to_lowercase(),
    });
    titled.collect::<Vec<_>>().join(" ")
}

pub(super) fn chain(chain: &Chain) -> Value {
    json!({
        "name": chain.name,
        "divisionNumbers": chain.divisions,
        "domain": chain.domain,
        "friendlyBannerName": chain.friendly,
        "modalityCapabilities":
            {"delivery": chain.delivers, "instore": true, "curbside": true, "shiptohome": chain.delivers},
    })
}

pub(super) fn department((id, name): (&str, &str)) -> Value {
    json!({"departmentId": id, "name": name})
}
