//! `GET /products/…`, `/locations/…` and `/identity/profile`: Kroger's catalog as callers of the first system read
//! it. Changes nothing.
//!
//! The answers keep Kroger's form, `data` and `meta`. The core corrects values that trip readers, and keeps fields
//! that it does not know. This server's own remarks are in `notes`.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;

use super::call::{Call, json};
use super::problem::Problem;
use crate::fields::values::Whole;
use kroger_core::catalog::location::LocationId;
use kroger_core::catalog::locations::{self, LocationQuery, Near};
use kroger_core::catalog::page_request::{Filter, Fulfillment, MOST_PRODUCTS, PageRequest, Selection, Term};
use kroger_core::catalog::{lookup, preferred_location, products, profile};
use kroger_core::item::product_number::ProductNumber;
use kroger_core::text::is_clean;
use kroger_core::upstream::quota::Purpose;

const A_LOCATION: &str = "8 letters or digits, such as 01400376";
const A_BRAND: &str = "1 to 200 characters; several brands are separated by `|`";
const A_FULFILLMENT: &str = "`ais` (in store), `csp` (pickup), `dth` (delivery), `sth` (shipping), separated by commas";
const A_PLACE: &str = "degrees, north from -90 to 90 in `lat` and east from -180 to 180 in `lon`";

/// A page of products.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Products {
    /// In Kroger's form, the most relevant first: `upc`, `description`, `brand`, `categories`, `images`, and in
    /// `items[0]` `size`, `price` (`regular`, and `promo`, which is 0 if the product is not on sale),
    /// `inventory.stockLevel` and `fulfillment`. Any of them may be absent, and there may be others.
    #[cfg_attr(test, schema(value_type = Vec<Object>))]
    data: Vec<Value>,
    /// Kroger's `pagination` (`start`, `limit`, `total`) and `warnings`, if there are any.
    #[cfg_attr(test, schema(value_type = Object))]
    meta: Value,
    /// The location of the prices, stock and aisles. Absent if no location is chosen; then there are none.
    #[serde(rename = "locationId", skip_serializing_if = "Option::is_none")]
    location_id: Option<String>,
    /// One sentence for each input that was corrected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// One product.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct OneProduct {
    /// In Kroger's form, as in a search.
    #[cfg_attr(test, schema(value_type = Object))]
    data: Value,
    /// The location of the price, stock and aisle. Absent if no location is chosen; then there are none.
    #[serde(rename = "locationId", skip_serializing_if = "Option::is_none")]
    location_id: Option<String>,
    /// One sentence for each input that was corrected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// Locations (supermarkets), the nearest first.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Locations {
    /// In Kroger's form: `locationId`, `name`, `chain`, `address`, `geolocation`, `phone`, `hours`, `departments`.
    /// Any except the first may be absent, and there may be others.
    #[cfg_attr(test, schema(value_type = Vec<Object>))]
    data: Vec<Value>,
    #[cfg_attr(test, schema(value_type = Object))]
    meta: Value,
}

/// One location.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct OneLocation {
    /// In Kroger's form, as in a search.
    #[cfg_attr(test, schema(value_type = Object))]
    data: Value,
}

/// The user's identity at Kroger.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Profile {
    data: ProfileId,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct ProfileId {
    /// Kroger's id of the customer. Kroger's terms forbid storing anything under it.
    id: String,
}

pub(super) async fn search_products(call: Call) -> Result<Response, Problem> {
    let cx = call.context();
    let user = call.user()?;
    let (term, note) = term(&call)?;
    let brand = brand(&call)?;
    let fulfillment = fulfillment(&call)?;
    let limit = number::<1, MOST_PRODUCTS>(&call, "limit")?.unwrap_or(10);
    let start = number::<0, 250>(&call, "start")?.unwrap_or(0);
    let location = preferred_location::or_named(cx, &user, location(&call)?.as_ref())?;
    let selection = Selection { location, fulfillment, limit, start };
    let request = PageRequest { filter: Filter::Term { term, brand }, selection };
    let page = products::product_page(cx, &user, &request, Purpose::Browse)?;
    Ok(json(&Products {
        data: page.data,
        meta: page.meta,
        location_id: request.selection.location.map(|location| location.as_str().to_owned()),
        notes: note.into_iter().collect(),
    }))
}

pub(super) async fn product(path: Result<Path<String>, PathRejection>, call: Call) -> Result<Response, Problem> {
    const A_UPC: &str = "a UPC of 13 digits, such as 0001111041700; shorter ones are padded with zeros";

    let Path(id) = path.map_err(|_| Problem::invalid_argument("id", A_UPC))?;
    let cx = call.context();
    let user = call.user()?;
    let number = ProductNumber::parse(&id).map_err(|no| Problem::invalid_argument("id", &no.allowed()))?;
    let location = preferred_location::or_named(cx, &user, location(&call)?.as_ref())?;
    let (data, note) = lookup::read_one(cx, &user, &number, "id", |upc| {
        products::product_value(cx, &user, upc, location.as_ref(), Purpose::Browse)
    })?;
    let location_id = location.map(|location| location.as_str().to_owned());
    Ok(json(&OneProduct { data, location_id, notes: note.into_iter().collect() }))
}

pub(super) async fn search_locations(call: Call) -> Result<Response, Problem> {
    let cx = call.context();
    let user = call.user()?;
    let query = LocationQuery {
        near: near(&call)?,
        radius_miles: number::<1, 100>(&call, "radiusInMiles")?,
        chain: chain(&call)?,
        departments: departments(&call)?,
        limit: number::<1, 200>(&call, "limit")?,
    };
    let is_nowhere = query.near.is_none() && query.chain.is_none() && cx.settings.default_location.zip_code.is_none();
    if is_nowhere {
        let allowed = "it is missing; a zip code of 5 digits, or `lat` and `lon`, or a `chain`";
        return Err(Problem::invalid_argument("zipCode", allowed));
    }
    let page = locations::location_page(cx, &user, &query)?;
    Ok(json(&Locations { data: page.data, meta: page.meta }))
}

pub(super) async fn location_by_id(path: Result<Path<String>, PathRejection>, call: Call) -> Result<Response, Problem> {
    let Path(id) = path.map_err(|_| Problem::invalid_argument("id", A_LOCATION))?;
    let id = LocationId::parse(&id).map_err(|allowed| Problem::invalid_argument("id", allowed))?;
    let data = locations::location_value(call.context(), &call.user()?, &id)?;
    Ok(json(&OneLocation { data }))
}

pub(super) async fn profile(call: Call) -> Result<Response, Problem> {
    let profile = profile::profile(call.context(), &call.user()?)?;
    Ok(json(&Profile { data: ProfileId { id: profile.id } }))
}

fn term(call: &Call) -> Result<(Term, Option<String>), Problem> {
    let text = call.given("term")?.unwrap_or_default();
    Term::parse(&text).map_err(|allowed| Problem::invalid_argument("term", allowed))
}

fn brand(call: &Call) -> Result<Option<String>, Problem> {
    let Some(text) = call.given("brand")? else { return Ok(None) };
    let is_brand = !text.trim().is_empty() && text.chars().count() <= 200 && is_clean(&text);
    if is_brand { Ok(Some(text.trim().to_owned())) } else { Err(Problem::invalid_argument("brand", A_BRAND)) }
}

fn fulfillment(call: &Call) -> Result<Vec<Fulfillment>, Problem> {
    let Some(text) = call.given("fulfillment")? else { return Ok(Vec::new()) };
    let each = text.split(',').map(Fulfillment::parse).collect::<Option<Vec<_>>>();
    each.ok_or_else(|| Problem::invalid_argument("fulfillment", A_FULFILLMENT))
}

fn location(call: &Call) -> Result<Option<LocationId>, Problem> {
    let Some(text) = call.given("locationId")? else { return Ok(None) };
    LocationId::parse(&text).map(Some).map_err(|allowed| Problem::invalid_argument("locationId", allowed))
}

/// Prefers a zip code to a place. The place must be valid even then.
fn near(call: &Call) -> Result<Option<Near>, Problem> {
    let place = place(call)?;
    let Some(zip) = call.given("zipCode")? else { return Ok(place) };
    Near::zip_code(&zip).map(Some).map_err(|allowed| Problem::invalid_argument("zipCode", allowed))
}

fn place(call: &Call) -> Result<Option<Near>, Problem> {
    let degrees = |name: &str| -> Result<Option<f64>, Problem> {
        let Some(text) = call.given(name)? else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| Problem::invalid_argument(name, A_PLACE))
    };
    match (degrees("lat")?, degrees("lon")?) {
        (None, None) => Ok(None),
        (Some(latitude), Some(longitude)) => {
            Near::place(latitude, longitude).map(Some).map_err(|_| Problem::invalid_argument("lat", A_PLACE))
        }
        (Some(_), None) => Err(Problem::invalid_argument("lon", "it is missing; `lat` and `lon` go together")),
        (None, Some(_)) => Err(Problem::invalid_argument("lat", "it is missing; `lat` and `lon` go together")),
    }
}

fn chain(call: &Call) -> Result<Option<String>, Problem> {
    Ok(call.given("chain")?.map(std::borrow::Cow::into_owned))
}

fn departments(call: &Call) -> Result<Vec<String>, Problem> {
    let list = call.given("department")?;
    Ok(list.map(|list| list.split(',').map(str::to_owned).collect()).unwrap_or_default())
}

fn number<const LEAST: u32, const MOST: u32>(call: &Call, name: &str) -> Result<Option<u32>, Problem> {
    let number: Option<Whole<LEAST, MOST>> = call.read(name)?;
    Ok(number.map(|number| number.0))
}
