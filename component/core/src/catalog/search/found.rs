//! What a search found.

use crate::catalog::location::LocationId;
use crate::catalog::page::Page;
use crate::catalog::page_request::PageRequest;
use crate::catalog::product::Product;
use crate::catalog::search::query::{ProductQuery, StockWanted};
use crate::catalog::search::sort::sort;
use crate::failure::Failure;

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductsFound {
    /// The store that prices and stock are of.
    pub location: Option<LocationId>,
    /// For each term in turn, then for the UPCs.
    pub found: Vec<Found>,
    /// One sentence for each thing to know about all of it.
    pub notes: Vec<String>,
}

/// What was found for one term, the brand alone, or the UPCs.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub searched_for: String,
    pub products: Vec<Product>,
    /// How many Kroger has, where it says.
    pub total: Option<u32>,
    /// Where a search goes on; none: there is no more.
    pub next_start: Option<u32>,
    pub notes: Vec<String>,
    /// Why there is nothing, while something else was found.
    pub failure: Option<Failure>,
}

impl Found {
    /// Kroger has nothing; not that all of it was left out here.
    pub(super) fn is_nothing(&self) -> bool {
        self.products.is_empty() && self.total.unwrap_or(0) == 0
    }

    /// Whether the store that was asked about must be there.
    pub(super) fn tells_of_store(&self) -> bool {
        self.total.is_some_and(|total| total > 0) || self.products.iter().any(Product::knows_store)
    }

    pub(super) fn refused(searched_for: String, notes: Vec<String>, failure: Failure) -> Self {
        Self { searched_for, products: Vec::new(), total: None, next_start: None, notes, failure: Some(failure) }
    }
}

pub(super) fn found(
    query: &ProductQuery,
    request: &PageRequest,
    page: &Page,
    searched_for: String,
    mut notes: Vec<String>,
) -> Found {
    let all: Vec<Product> = page.data.iter().filter_map(Product::read).collect();
    if page.left_out > 0 {
        notes.push(format!("{} of Kroger's products could not be read and were left out.", page.left_out));
    }
    let seen = u32::try_from(all.len() + page.left_out).unwrap_or(u32::MAX);
    let has_more = page.total.map_or(seen == request.limit, |total| request.start + seen < total);
    let mut kept: Vec<(u32, Product)> = (0..).zip(all).collect();
    if query.stock == StockWanted::InStock && request.location.is_some() {
        kept.retain(|(_, product)| product.is_in_stock());
    }
    let sorted = sort(&mut kept, query.order, |(_, product)| product);
    let is_cut = kept.len() > query.limit() as usize;
    kept.truncate(query.limit() as usize);
    if sorted && has_more {
        notes.push(format!("Sorted among the first {seen} that Kroger found; narrow the search to see others."));
    } else if sorted && is_cut {
        notes.push("Sorted among all that Kroger found; a higher limit shows more of them.".to_owned());
    }
    let next = match kept.last() {
        _ if sorted => None,
        Some((index, _)) if is_cut => Some(request.start + index + 1),
        _ if has_more => Some(request.start + seen),
        _ => None,
    };
    let products = kept.into_iter().map(|(_, product)| product).collect();
    let next_start = next.filter(|start| *start <= 250);
    Found { searched_for, products, total: page.total, next_start, notes, failure: None }
}
