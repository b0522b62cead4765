//! What to say where nothing of a brand is found: Kroger compares brands letter
//! by letter, so a brand in another case is none.

use crate::Context;
use crate::catalog::location::LocationId;
use crate::catalog::page_request::{Filter, MOST_PRODUCTS, PageRequest, Term};
use crate::catalog::product::Product;
use crate::catalog::products::product_page;
use crate::catalog::search::query::{ProductQuery, page};
use crate::upstream::quota::Purpose;
use crate::user::UserId;

const MOST_NAMED: usize = 8;

/// The brands that are found without `brand`, for one call to Kroger: of the first
/// term, or by the brand's own words. Empty, too, where Kroger does not answer.
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
    let request = PageRequest { filter, limit: MOST_PRODUCTS, start: 0, ..page(query, location) };
    let Ok(found) = product_page(cx, user, &request, Purpose::Browse) else { return Vec::new() };
    let mut brands = Vec::new();
    for brand in found.data.iter().filter_map(|value| Product::read(value)?.brand) {
        if !brands.contains(&brand) {
            brands.push(brand);
        }
    }
    // The same in other letters is most likely the one.
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
