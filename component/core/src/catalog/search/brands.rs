//! Suggests other brands if a search finds nothing of the wanted one. Kroger
//! compares upper and lower case, so `kroger` finds nothing.

use crate::Context;
use crate::catalog::location::LocationId;
use crate::catalog::page_request::{Filter, MOST_PRODUCTS, PageRequest, Selection, Term};
use crate::catalog::product::Product;
use crate::catalog::products::product_page;
use crate::catalog::search::query::{ProductQuery, selection};
use crate::upstream::quota::Purpose;
use crate::user::UserId;

const MOST_NAMED: usize = 8;

/// Finds the brands of products that match without `brand`, by one call to
/// Kroger: for the first term that is one, else for the brand's own words. Empty
/// if Kroger does not answer.
pub(super) fn others(
    cx: Context<'_>,
    user: &UserId,
    query: &ProductQuery,
    brand: &str,
    location: Option<&LocationId>,
) -> Vec<String> {
    let mut words = query.terms.iter().map(String::as_str).chain([brand]);
    let Some((term, _)) = words.find_map(|text| Term::parse(text).ok()) else { return Vec::new() };
    let filter = Filter::Term { term, brand: None };
    let selection = Selection { limit: MOST_PRODUCTS, start: 0, ..selection(query, location) };
    let request = PageRequest { filter, selection };
    let Ok(found) = product_page(cx, user, &request, Purpose::Browse) else { return Vec::new() };
    let mut brands = Vec::new();
    for brand in found.data.iter().filter_map(|value| Product::read(value)?.brand) {
        if !brands.contains(&brand) {
            brands.push(brand);
        }
    }
    // The same name in another case was most likely meant.
    brands.sort_by_key(|other| !other.eq_ignore_ascii_case(brand));
    brands.truncate(MOST_NAMED);
    brands
}

pub(super) fn note(brand: &str, others: &[String]) -> String {
    let told = format!("Nothing of the brand `{brand}` was found; Kroger wants a brand exactly as it spells it.");
    if others.is_empty() {
        return told;
    }
    format!("{told} Without it there are products of these: {}.", others.join(", "))
}
