//! The catalogue's paths: products, locations, chains, departments. Each reads its call, refuses
//! it in Kroger's words, or finds what the tables have.

mod forms;
mod location_search;
mod locations;
mod products;
mod shelves;

use std::collections::HashSet;

use axum::{
    Router,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};

use crate::{
    answers::{json_answer, timestamp},
    parameters::Parameters,
    router::{bearer, query_parameters},
    sandbox::{Sandbox, now},
};
use location_search::{Near, Place, Wanted};
use locations::{CHAINS, DEPARTMENTS, STORES};
use products::Product;

const PRODUCT_SCOPE: &str = "product.compact";
/// Of one page, and of one list of ids.
const MOST_PRODUCTS: usize = 50;
/// The fulfilment types of a search, in Kroger's words: in store, curbside, delivery, shipping.
const FULFILLMENTS: [&str; 4] = ["ais", "csp", "dth", "sth"];

pub(crate) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/v1/products", get(search_products))
        .route("/v1/products/{id}", get(product))
        .route("/v1/locations", get(search_locations))
        .route("/v1/locations/{id}", get(location).head(has_location))
        .route("/v1/chains", get(chains))
        .route("/v1/chains/{name}", get(chain).head(has_chain))
        .route("/v1/departments", get(departments))
        .route("/v1/departments/{id}", get(department).head(has_department))
}

/// What is answered instead of the data.
#[derive(Debug)]
enum Refusal {
    /// 400, with the code and the reason under `errors`.
    Nested(&'static str, &'static str),
    /// 400, bare, as Kroger's gateway refuses.
    Bare(&'static str),
    /// 404 without a body.
    Unknown,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (code, reason) = match self {
            Self::Unknown => return StatusCode::NOT_FOUND.into_response(),
            Self::Nested(code, reason) => (code, reason),
            Self::Bare(reason) => ("API-4101-400", reason),
        };
        let error = json!({"timestamp": timestamp(), "code": code, "reason": reason});
        let body = if matches!(self, Self::Nested(..)) { json!({"errors": error}) } else { error };
        json_answer(StatusCode::BAD_REQUEST, &body)
    }
}

/// The token is looked at first; then `answer` decides.
fn answer(
    sandbox: &Sandbox,
    headers: &HeaderMap,
    scope: Option<&str>,
    answer: impl FnOnce() -> Result<Value, Refusal>,
) -> Response {
    let admitted = sandbox.world().kroger.admit(now(), bearer(headers), scope);
    if let Err(refusal) = admitted {
        return refusal.into_response();
    }
    match answer() {
        Ok(body) => json_answer(StatusCode::OK, &body),
        Err(refusal) => refusal.into_response(),
    }
}

/// A `HEAD` tells only that there is something: 204.
fn exists(sandbox: &Sandbox, headers: &HeaderMap, found: impl FnOnce() -> Result<Value, Refusal>) -> Response {
    let mut response = answer(sandbox, headers, None, found);
    if response.status() == StatusCode::OK {
        response = StatusCode::NO_CONTENT.into_response();
    }
    response
}

async fn search_products(State(sandbox): State<Sandbox>, query: RawQuery, headers: HeaderMap) -> Response {
    answer(&sandbox, &headers, Some(PRODUCT_SCOPE), || products_page(&query_parameters(&query)))
}

async fn product(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    query: RawQuery,
    headers: HeaderMap,
) -> Response {
    answer(&sandbox, &headers, Some(PRODUCT_SCOPE), || {
        // Of a store that is not there, nothing is told.
        let location = location_filter(&query_parameters(&query))?.filter(|id| location_search::by_id(id).is_some());
        if id.len() != 13 {
            return Err(Refusal::Bare("UPC must have a length of 13 characters"));
        }
        let product = products::by_upc(&id).ok_or(Refusal::Unknown)?;
        // No `meta`: it is optional, and here it goes missing.
        Ok(json!({"data": forms::product(product, location.as_deref())}))
    })
}

fn products_page(query: &Parameters) -> Result<Value, Refusal> {
    match query.value("filter.productId") {
        Some(ids) => named_products(ids),
        None => searched_page(query),
    }
}

fn searched_page(query: &Parameters) -> Result<Value, Refusal> {
    let location = location_filter(query)?;
    let limit = number(query, "filter.limit", 10, 1..=MOST_PRODUCTS)
        .ok_or(Refusal::Bare("Field 'limit' must be a number between 1 and 50 (inclusive)"))?;
    let start = number(query, "filter.start", 0, 1..=250)
        .ok_or(Refusal::Bare("Field 'start' must be a number between 1 and 250 (inclusive)"))?;
    let found = searched_products(query)?;
    let fulfillment = fulfillment_filter(query)?;
    let sold = |product: &&Product| location.as_deref().is_none_or(|id| is_offered(product, id, &fulfillment));
    let found: Vec<&Product> = found.into_iter().filter(sold).collect();
    let page = found.iter().skip(start).take(limit);
    let data: Vec<Value> = page.map(|product| forms::product(product, location.as_deref())).collect();
    Ok(page_form(&data, start, limit, found.len()))
}

fn page_form(data: &[Value], start: usize, limit: usize, total: usize) -> Value {
    let pagination = json!({"start": start, "limit": limit, "total": total});
    json!({"data": data, "meta": {"pagination": pagination, "warnings": []}})
}

fn is_offered(product: &Product, location: &str, fulfillment: &[&str]) -> bool {
    let Some(offer) = location_search::by_id(location).and_then(|_| product.at(location)) else { return false };
    fulfillment.iter().all(|wanted| match *wanted {
        "csp" => offer.curbside,
        "dth" => offer.delivery,
        "sth" => offer.ship_to_home,
        _ => true,
    })
}

/// Kroger's document says that nothing else is looked at then, so no product tells of a store.
fn named_products(ids: &str) -> Result<Value, Refusal> {
    let ids: Vec<&str> = ids.split(',').map(str::trim).collect();
    if ids.len() > MOST_PRODUCTS {
        return Err(Refusal::Bare("Invalid parameters"));
    }
    if ids.iter().any(|id| id.len() != 13) {
        return Err(Refusal::Bare("UPC must have a length of 13 characters"));
    }
    let mut seen = HashSet::new();
    let named = ids.into_iter().filter(|id| seen.insert(*id)).filter_map(products::by_upc);
    let data: Vec<Value> = named.map(|product| forms::product(product, None)).collect();
    Ok(page_form(&data, 0, MOST_PRODUCTS, data.len()))
}

fn searched_products(query: &Parameters) -> Result<Vec<&'static Product>, Refusal> {
    let term = query.value("filter.term");
    let brands: Vec<&str> = query.value("filter.brand").unwrap_or_default().split('|').collect();
    let has_brand = query.value("filter.brand").is_some();
    let is_bad = |term: &str| term.trim().chars().count() < 3 || term.split(' ').count() > 8;
    if (term.is_none() && !has_brand) || term.is_some_and(is_bad) {
        return Err(Refusal::Bare("Invalid parameters"));
    }
    let of_brand = products::all().iter().filter(|product| !has_brand || brands.contains(&product.brand));
    Ok(match term {
        Some(term) => best_first(of_brand.collect(), &products::stems(term)),
        None => of_brand.collect(),
    })
}

/// Those that have all the words; where none has, those that have some.
fn best_first(products: Vec<&'static Product>, words: &[String]) -> Vec<&'static Product> {
    let has_all: Vec<&Product> = products.iter().copied().filter(|product| product.has_all(words)).collect();
    let mut found = if has_all.is_empty() { products } else { has_all };
    found.retain(|product| product.relevance(words) > 0);
    found.sort_by_key(|product| std::cmp::Reverse(product.relevance(words)));
    found
}

fn location_filter(query: &Parameters) -> Result<Option<String>, Refusal> {
    match query.value("filter.locationId") {
        Some(id) if id.len() != 8 => {
            Err(Refusal::Nested("PRODUCT-2011-400", "Field 'locationId' must have a length of 8 characters"))
        }
        location => Ok(location.map(str::to_owned)),
    }
}

fn fulfillment_filter(query: &Parameters) -> Result<Vec<&str>, Refusal> {
    let wanted: Vec<&str> = query.value("filter.fulfillment").map(|list| list.split(',').collect()).unwrap_or_default();
    if wanted.iter().all(|one| FULFILLMENTS.contains(one)) {
        Ok(wanted)
    } else {
        Err(Refusal::Bare("Invalid parameters"))
    }
}

/// `None`: not a number of that range.
fn number(query: &Parameters, name: &str, default: usize, range: std::ops::RangeInclusive<usize>) -> Option<usize> {
    let Some(text) = query.value(name) else { return Some(default) };
    text.parse().ok().filter(|number| range.contains(number))
}

async fn search_locations(State(sandbox): State<Sandbox>, query: RawQuery, headers: HeaderMap) -> Response {
    answer(&sandbox, &headers, None, || locations_page(&query_parameters(&query)))
}

fn locations_page(query: &Parameters) -> Result<Value, Refusal> {
    let limit = number(query, "filter.limit", 10, 1..=200)
        .ok_or(Refusal::Bare("Field 'limit' must be a number between 1 and 200 (inclusive)"))?;
    let radius = number(query, "filter.radiusInMiles", 10, 1..=100).ok_or(Refusal::Bare(
        "Field 'filter.radiusInMiles' outside of distance limits, distance range is 1 - 100 miles.",
    ))?;
    let list = |name: &str| query.value(name).map(|list| list.split(',').collect()).unwrap_or_default();
    let wanted = Wanted {
        near: near_filter(query)?,
        radius_in_miles: u32::try_from(radius).unwrap_or_default().into(),
        chain: query.value("filter.chain"),
        departments: list("filter.department"),
        ids: list("filter.locationId"),
    };
    wanted.check()?;
    let found = location_search::search(&wanted);
    let data: Vec<Value> = found.iter().take(limit).map(|store| forms::store(store)).collect();
    Ok(json!({"data": data, "meta": {}}))
}

impl Wanted<'_> {
    fn check(&self) -> Result<(), Refusal> {
        let is_known = |id: &&str| DEPARTMENTS.iter().any(|(known, _)| known == id);
        if !self.departments.iter().all(is_known) {
            return Err(Refusal::Bare("Field 'filter.department' contains invalid department ID(s)"));
        }
        if self.ids.iter().any(|id| id.len() != 8) {
            return Err(Refusal::Bare("Field 'locationId' must have a length of 8 characters"));
        }
        Ok(())
    }
}

fn near_filter(query: &Parameters) -> Result<Near, Refusal> {
    if let Some(zip) = query.value("filter.zipCode.near") {
        let is_zip = zip.len() == 5 && zip.bytes().all(|byte| byte.is_ascii_digit());
        let place = is_zip.then(|| location_search::place_of_zip(zip));
        return place.ok_or(Refusal::Bare("Field 'filter.zipCode.near' must 5 digits"));
    }
    let both = query.value("filter.latLong.near").map(|text| text.split_once(',').unwrap_or((text, "")));
    let each = || Some((query.value("filter.lat.near")?, query.value("filter.lon.near")?));
    let Some((latitude, longitude)) = both.or_else(each) else { return Ok(Near::Anywhere) };
    let degrees = |text: &str, most: f64| text.trim().parse().ok().filter(|degrees: &f64| degrees.abs() <= most);
    match (degrees(latitude, 90.0), degrees(longitude, 180.0)) {
        (Some(latitude), Some(longitude)) => Ok(Near::At(Place { latitude, longitude })),
        _ => Err(Refusal::Bare("Field 'filter.latLong.near' improper coordinate location, must be on Earth")),
    }
}

async fn location(State(sandbox): State<Sandbox>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    answer(&sandbox, &headers, None, || one_location(&id))
}

async fn has_location(State(sandbox): State<Sandbox>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    exists(&sandbox, &headers, || one_location(&id))
}

fn one_location(id: &str) -> Result<Value, Refusal> {
    if id.len() != 8 {
        return Err(Refusal::Bare("Field 'locationId' must have a length of 8 characters"));
    }
    let store = STORES.iter().find(|store| store.id == id).ok_or(Refusal::Unknown)?;
    Ok(json!({"data": forms::store(store), "meta": {}}))
}

async fn chains(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    let all = || json!({"data": CHAINS.iter().map(forms::chain).collect::<Vec<_>>(), "meta": {}});
    answer(&sandbox, &headers, None, || Ok(all()))
}

async fn chain(State(sandbox): State<Sandbox>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    answer(&sandbox, &headers, None, || one_chain(&name))
}

async fn has_chain(State(sandbox): State<Sandbox>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    exists(&sandbox, &headers, || one_chain(&name))
}

fn one_chain(name: &str) -> Result<Value, Refusal> {
    let chain = CHAINS.iter().find(|chain| chain.name.eq_ignore_ascii_case(name)).ok_or(Refusal::Unknown)?;
    Ok(json!({"data": forms::chain(chain), "meta": {}}))
}

async fn departments(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    let all = || json!({"data": DEPARTMENTS.map(forms::department), "meta": {}});
    answer(&sandbox, &headers, None, || Ok(all()))
}

async fn department(State(sandbox): State<Sandbox>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    answer(&sandbox, &headers, None, || one_department(&id))
}

async fn has_department(State(sandbox): State<Sandbox>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    exists(&sandbox, &headers, || one_department(&id))
}

fn one_department(id: &str) -> Result<Value, Refusal> {
    if id.len() != 2 {
        return Err(Refusal::Nested("LOCATION-2119", "Invalid department ID"));
    }
    let department = DEPARTMENTS.into_iter().find(|(known, _)| *known == id).ok_or(Refusal::Unknown)?;
    Ok(json!({"data": forms::department(department), "meta": {}}))
}
