//! How large a body each route reads. A body over its limit is refused before a byte of it is read as JSON.

use kroger_core::json::tree_size;

use super::problem::Problem;
use crate::edge::LARGEST_REQUEST;

/// A hundred items of a cart take about 10 KiB.
const ITEMS: usize = 64 << 10;
/// One item, one user, or the answer of a person on a page.
const FEW_FIELDS: usize = 16 << 10;
/// The largest tree of a body. A hundred items of a cart take about 100 KiB as a tree.
const LARGEST_TREE: usize = 1 << 20;

/// The most bytes of a body for the route at `path`.
fn largest(path: &str) -> usize {
    match path {
        "/mcp" => LARGEST_REQUEST,
        "/cart/add" => ITEMS,
        _ => FEW_FIELDS,
    }
}

/// Refuses a body that its route does not read.
pub(super) fn check(path: &str, body: &[u8]) -> Result<(), Problem> {
    if body.len() > largest(path) {
        return Err(Problem::too_large(largest(path)));
    }
    // `/mcp` refuses such a message in its own form.
    if path != "/mcp" && tree_size(body) > LARGEST_TREE {
        return Err(Problem::too_many_values());
    }
    Ok(())
}
