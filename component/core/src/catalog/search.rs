//! Searches for products the way a person shops: several things at once, in
//! stock, the cheapest first. Adds nothing to a cart.

mod brands;
mod by_upc;
pub mod found;
pub mod query;
mod sort;
mod steps;

use crate::Context;
use crate::catalog::search::found::{ProductsFound, TermFound};
use crate::catalog::search::query::ProductQuery;
use crate::catalog::search::steps::steps;
use crate::catalog::{locations, preferred_location};
use crate::failure::Failure;
use crate::user::UserId;

const NO_LOCATION: &str =
    "No location is chosen, so there are no prices and no stock: name a location, or choose a preferred one.";

/// Searches for each term, and looks up the UPCs.
///
/// # Errors
/// `invalid_argument`; `not_found` where there is no such location; the first
/// step's failure, if every step failed.
pub fn search_products(cx: Context<'_>, user: &UserId, query: &ProductQuery) -> Result<ProductsFound, Failure> {
    let location = preferred_location::or_named(cx, user, query.location.as_ref())?;
    let steps = steps(query, location.as_ref())?;
    let each = steps.into_iter().map(|step| step.take(cx, user, query, location.as_ref()));
    let found = at_least_one(each.collect())?;
    let is_nothing = query.upcs.is_empty() && found.iter().all(TermFound::is_nothing);
    let brand = query.brand.as_deref().map(str::trim).filter(|_| is_nothing);
    let others = brand.map(|brand| brands::others(cx, user, query, brand, location.as_ref())).unwrap_or_default();
    if others.is_empty() && !found.iter().any(TermFound::proves_location) {
        locations::confirm(cx, user, location.as_ref())?;
    }
    let mut notes: Vec<String> = brand.map(|brand| brands::note(brand, &others)).into_iter().collect();
    if location.is_none() {
        notes.push(NO_LOCATION.to_owned());
    }
    Ok(ProductsFound { location, found, notes })
}

/// Fails if every step failed.
fn at_least_one(found: Vec<TermFound>) -> Result<Vec<TermFound>, Failure> {
    match found.iter().find_map(|one| one.failure.clone()) {
        Some(failure) if found.iter().all(|one| one.failure.is_some()) => Err(failure),
        _ => Ok(found),
    }
}
