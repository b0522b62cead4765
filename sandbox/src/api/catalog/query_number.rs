//! Parses the numbers of a query. Never chooses the words of a refusal.

use std::ops::RangeInclusive;

use crate::parameters::Parameters;

/// Returns the number in `name`, `default` if it is absent, or `None` if it is not in `range`.
pub(super) fn number(query: &Parameters, name: &str, default: usize, range: RangeInclusive<usize>) -> Option<usize> {
    let Some(text) = query.value(name) else { return Some(default) };
    text.parse().ok().filter(|number| range.contains(number))
}
