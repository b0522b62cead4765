//! Answers the queries for products: a search, a list of ids, one product.
//!
//! Pure: turns a query into a JSON body or a refusal. Checks no token.

use std::{cmp::Reverse, collections::HashSet};

use serde_json::{Value, json};

use super::{
    location_search,
    product_form::product_form,
    products::{self, Product},
    query_number::number,
    refusal::CatalogRefusal,
    search_words::stems,
};
use crate::parameters::Parameters;

/// How many products one page holds, and one list of ids.
const MOST_PRODUCTS: usize = 50;
/// The fulfilment types of a search, in Kroger's words: in store, curbside, delivery, shipping.
const FULFILLMENTS: [&str; 4] = ["ais", "csp", "dth", "sth"];

/// Answers `/v1/products`.
pub(crate) fn products_page(query: &Parameters) -> Result<Value, CatalogRefusal> {
    match query.value("filter.productId") {
        Some(ids) => named_products(ids),
        None => searched_page(query),
    }
}

/// Answers `/v1/products/{id}`.
pub(crate) fn one_product(id: &str, query: &Parameters) -> Result<Value, CatalogRefusal> {
    // A location that does not exist reports nothing about the product.
    let location = location_filter(query)?.filter(|id| location_search::by_id(id).is_some());
    if id.len() != 13 {
        return Err(CatalogRefusal::Bare("UPC must have a length of 13 characters"));
    }
    let product = products::by_upc(id).ok_or(CatalogRefusal::Unknown)?;
    // `meta` is optional in Kroger's document, so here it is missing.
    Ok(json!({"data": product_form(product, location.as_deref())}))
}

fn searched_page(query: &Parameters) -> Result<Value, CatalogRefusal> {
    let location = location_filter(query)?;
    let limit = number(query, "filter.limit", 10, 1..=MOST_PRODUCTS)
        .ok_or(CatalogRefusal::Bare("Field 'limit' must be a number between 1 and 50 (inclusive)"))?;
    let start = number(query, "filter.start", 0, 1..=250)
        .ok_or(CatalogRefusal::Bare("Field 'start' must be a number between 1 and 250 (inclusive)"))?;
    let found = searched_products(query)?;
    let fulfillment = fulfillment_filter(query)?;
    let sold = |product: &&Product| location.as_deref().is_none_or(|id| is_offered(product, id, &fulfillment));
    let found: Vec<&Product> = found.into_iter().filter(sold).collect();
    let page = found.iter().skip(start).take(limit);
    let data: Vec<Value> = page.map(|product| product_form(product, location.as_deref())).collect();
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

/// Answers a list of ids.
///
/// Kroger ignores all other filters then (its document says so), so no product reports a location.
fn named_products(ids: &str) -> Result<Value, CatalogRefusal> {
    let ids: Vec<&str> = ids.split(',').map(str::trim).collect();
    if ids.len() > MOST_PRODUCTS {
        return Err(CatalogRefusal::Bare("Invalid parameters"));
    }
    if ids.iter().any(|id| id.len() != 13) {
        return Err(CatalogRefusal::Bare("UPC must have a length of 13 characters"));
    }
    let mut seen = HashSet::new();
    let named = ids.into_iter().filter(|id| seen.insert(*id)).filter_map(products::by_upc);
    let data: Vec<Value> = named.map(|product| product_form(product, None)).collect();
    Ok(page_form(&data, 0, MOST_PRODUCTS, data.len()))
}

fn searched_products(query: &Parameters) -> Result<Vec<&'static Product>, CatalogRefusal> {
    let term = query.value("filter.term");
    let brands: Vec<&str> = query.value("filter.brand").unwrap_or_default().split('|').collect();
    let has_brand = query.value("filter.brand").is_some();
    let is_bad = |term: &str| term.trim().chars().count() < 3 || term.split(' ').count() > 8;
    if (term.is_none() && !has_brand) || term.is_some_and(is_bad) {
        return Err(CatalogRefusal::Bare("Invalid parameters"));
    }
    let of_brand = products::all().iter().filter(|product| !has_brand || brands.contains(&product.brand));
    Ok(match term {
        Some(term) => best_first(of_brand.collect(), &stems(term)),
        None => of_brand.collect(),
    })
}

/// Finds the products that have all words, or some of them if no product has all.
fn best_first(products: Vec<&'static Product>, words: &[String]) -> Vec<&'static Product> {
    let has_all: Vec<&Product> = products.iter().copied().filter(|product| product.has_all(words)).collect();
    let mut found = if has_all.is_empty() { products } else { has_all };
    found.retain(|product| product.relevance(words) > 0);
    found.sort_by_key(|product| Reverse(product.relevance(words)));
    found
}

fn location_filter(query: &Parameters) -> Result<Option<String>, CatalogRefusal> {
    match query.value("filter.locationId") {
        Some(id) if id.len() != 8 => {
            Err(CatalogRefusal::Nested("PRODUCT-2011-400", "Field 'locationId' must have a length of 8 characters"))
        }
        location => Ok(location.map(str::to_owned)),
    }
}

fn fulfillment_filter(query: &Parameters) -> Result<Vec<&str>, CatalogRefusal> {
    let wanted: Vec<&str> = query.value("filter.fulfillment").map(|list| list.split(',').collect()).unwrap_or_default();
    if wanted.iter().all(|one| FULFILLMENTS.contains(one)) {
        Ok(wanted)
    } else {
        Err(CatalogRefusal::Bare("Invalid parameters"))
    }
}
