//! The order of what a search found.

use crate::catalog::product::Product;
use crate::catalog::search::query::Order;

/// Whether Kroger's order was left. What has no price comes last; unit prices
/// are compared within a unit, that of most products first.
pub(super) fn sort<T>(found: &mut [T], order: Order, product: impl Fn(&T) -> &Product) -> bool {
    match order {
        Order::Relevance => return false,
        Order::Price => {
            found.sort_by_key(|one| product(one).price.map_or(u64::MAX, |price| price.current().0));
        }
        Order::UnitPrice => {
            let units: Vec<_> = found.iter().filter_map(|one| Some(product(one).unit_price?.unit)).collect();
            let others = |unit| units.iter().filter(|other| **other != unit).count();
            let rank = |one: &T| {
                product(one)
                    .unit_price
                    .map_or((usize::MAX, None, f64::MAX), |price| (others(price.unit), Some(price.unit), price.dollars))
            };
            found.sort_by(|one, other| {
                let ((most, unit, dollars), (most_other, unit_other, dollars_other)) = (rank(one), rank(other));
                (most, unit).cmp(&(most_other, unit_other)).then(dollars.total_cmp(&dollars_other))
            });
        }
    }
    true
}
