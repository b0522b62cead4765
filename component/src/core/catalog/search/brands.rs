//! What to say where nothing of a brand is found: Kroger compares brands letter
//! by letter, so a brand in another case is none.

use super::{MOST_PRODUCTS, PageRequest, ProductQuery, page};
use crate::core::Context;
use crate::core::catalog::location::LocationId;
use crate::core::catalog::page::{Filter, Term};
use crate::core::catalog::product::Product;
use crate::core::catalog::product_page;
use crate::core::quota::Purpose;
use crate::core::user::UserId;

const MOST_NAMED: usize = 8;

/// Names the brands that are found without it, for one call to Kroger.
pub(super) fn note(
    cx: Context<'_>,
    user: &UserId,
    query: &ProductQuery,
    brand: &str,
    location: Option<&LocationId>,
) -> String {
    let told = format!("Nothing of the brand `{brand}` was found; Kroger wants a brand exactly as it spells it.");
    match others(cx, user, query, brand, location) {
        Some(brands) if !brands.is_empty() => {
            format!("{told} Without it there are products of these: {}.", brands.join(", "))
        }
        _ => told,
    }
}

/// Of the first term, or of what is found by the brand's own words.
fn others(
    cx: Context<'_>,
    user: &UserId,
    query: &ProductQuery,
    brand: &str,
    location: Option<&LocationId>,
) -> Option<Vec<String>> {
    let words = query.terms.iter().map(String::as_str).chain([brand]);
    let (term, _) = words.filter_map(|text| Term::parse(text).ok()).next()?;
    let filter = Filter::Term { term, brand: None };
    let request = PageRequest { filter, limit: MOST_PRODUCTS, start: 0, ..page(query, location) };
    let found = product_page(cx, user, &request, Purpose::Browse).ok()?;
    let mut brands = Vec::new();
    for brand in found.data.iter().filter_map(|value| Product::read(value)?.brand) {
        if !brands.contains(&brand) {
            brands.push(brand);
        }
    }
    // The same in other letters is most likely the one.
    brands.sort_by_key(|other| !other.eq_ignore_ascii_case(brand));
    brands.truncate(MOST_NAMED);
    Some(brands)
}
