//! The order of the products that a search found. Leaves out none.

use std::cmp::Ordering;

use crate::catalog::product::{Product, UnitPrice};
use crate::catalog::search::query::ProductOrder;
use crate::catalog::size::Unit;

/// Sorts `found`, and returns whether the order is no longer Kroger's.
///
/// Products without a price come last.
pub(super) fn sort<T>(found: &mut [T], order: ProductOrder, product: impl Fn(&T) -> &Product) -> bool {
    match order {
        ProductOrder::Relevance => return false,
        ProductOrder::Price => {
            found.sort_by_key(|one| product(one).price.map_or(u64::MAX, |price| price.current().0));
        }
        ProductOrder::UnitPrice => {
            let prices: Vec<UnitPrice> = found.iter().filter_map(|one| product(one).unit_price).collect();
            found.sort_by(|one, other| by_unit_price(&prices, product(one).unit_price, product(other).unit_price));
        }
    }
    true
}

/// Compares prices of one unit. Between units, that of most products comes
/// first, since a price per ounce says nothing about one per piece.
fn by_unit_price(all: &[UnitPrice], one: Option<UnitPrice>, other: Option<UnitPrice>) -> Ordering {
    let rank = |price: Option<UnitPrice>| {
        price.map_or((usize::MAX, None, f64::MAX), |price| {
            (count_other_units(all, price.unit), Some(price.unit), price.dollars)
        })
    };
    let ((others, unit, dollars), (others_2, unit_2, dollars_2)) = (rank(one), rank(other));
    (others, unit).cmp(&(others_2, unit_2)).then(dollars.total_cmp(&dollars_2))
}

fn count_other_units(all: &[UnitPrice], unit: Unit) -> usize {
    all.iter().filter(|price| price.unit != unit).count()
}
