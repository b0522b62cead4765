//! The results of a search, as callers see them. Asks Kroger nothing.

use crate::catalog::location::LocationId;
use crate::catalog::page::Page;
use crate::catalog::page_request::{LAST_START, Selection};
use crate::catalog::product::Product;
use crate::catalog::search::query::{ProductQuery, StockWanted};
use crate::catalog::search::sort::sort;
use crate::failure::Failure;

/// All results of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductsFound {
    /// The location of the prices and the stock. None: there are neither.
    pub location: Option<LocationId>,
    /// For each term in turn, then for the UPCs.
    pub found: Vec<TermFound>,
    /// Sentences about the search as a whole.
    pub notes: Vec<String>,
}

/// The results for one term, for the brand alone, or for the UPCs.
#[derive(Clone, Debug, PartialEq)]
pub struct TermFound {
    pub searched_for: String,
    pub products: Vec<Product>,
    /// How many products Kroger has. None: Kroger does not say.
    pub total: Option<u32>,
    /// The `start` that continues the search. None: there is no more.
    pub next_start: Option<u32>,
    pub notes: Vec<String>,
    /// The reason why there are no products, if the search as a whole succeeded.
    pub failure: Option<Failure>,
}

impl TermFound {
    /// True if Kroger has nothing, rather than that all of it was left out here.
    pub(super) fn is_nothing(&self) -> bool {
        self.products.is_empty() && self.total.unwrap_or(0) == 0
    }

    /// True if the results prove that the location exists.
    pub(super) fn proves_location(&self) -> bool {
        self.total.is_some_and(|total| total > 0) || self.products.iter().any(Product::knows_location)
    }

    pub(super) fn refused(searched_for: String, notes: Vec<String>, failure: Failure) -> Self {
        Self { searched_for, products: Vec::new(), total: None, next_start: None, notes, failure: Some(failure) }
    }
}

/// Takes from `page`, the answer to `selection`, what `query` wants.
pub(super) fn found(
    query: &ProductQuery,
    selection: &Selection,
    page: &Page,
    searched_for: String,
    mut notes: Vec<String>,
) -> TermFound {
    let all: Vec<Product> = page.data.iter().filter_map(Product::read).collect();
    if page.left_out > 0 {
        notes.push(format!("{} of Kroger's products could not be read and were left out.", page.left_out));
    }
    let seen = u32::try_from(all.len() + page.left_out).unwrap_or(u32::MAX);
    let has_more = page.total.map_or(seen == selection.limit, |total| selection.start + seen < total);
    let mut kept: Vec<(u32, Product)> = (0..).zip(all).collect();
    if query.stock == StockWanted::InStock && selection.location.is_some() {
        kept.retain(|(_, product)| product.is_in_stock());
    }
    let sorted = sort(&mut kept, query.order, |(_, product)| product);
    let is_cut = kept.len() > query.limit() as usize;
    kept.truncate(query.limit() as usize);
    let next = match kept.last() {
        _ if sorted => None,
        Some((index, _)) if is_cut => Some(selection.start + index + 1),
        _ if has_more => Some(selection.start + seen),
        _ => None,
    };
    notes.extend(sorted.then(|| note_of_order(seen, has_more, is_cut)).flatten());
    let products = kept.into_iter().map(|(_, product)| product).collect();
    let next_start = next.filter(|start| *start <= LAST_START);
    TermFound { searched_for, products, total: page.total, next_start, notes, failure: None }
}

/// Tells what was sorted, if products remain that the caller does not see.
fn note_of_order(seen: u32, has_more: bool, is_cut: bool) -> Option<String> {
    match (has_more, is_cut) {
        (true, _) => Some(format!("Sorted among the first {seen} that Kroger found; narrow the search to see others.")),
        (false, true) => Some("Sorted among all that Kroger found; a higher limit shows more of them.".to_owned()),
        (false, false) => None,
    }
}
