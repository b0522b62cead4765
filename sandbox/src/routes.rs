//! Lists all paths of the sandbox, and the layers around those that imitate Kroger.
//!
//! Holds no rule: a handler reads its call, lets the rules decide and writes the answer.

mod cart;
mod catalog;
mod control;
mod front_page;
mod oauth;

use axum::{Router, http::StatusCode, middleware::from_fn_with_state};

use crate::{
    layers::{disturb::disturb, limit::limit},
    sandbox::Sandbox,
};

/// Builds the router of `sandbox`.
///
/// Only [`serve`](crate::serve) can close a connection without an answer, as some faults require.
pub(crate) fn router(sandbox: &Sandbox) -> Router {
    Router::new()
        .merge(oauth::routes())
        .merge(cart::routes())
        .merge(catalog::routes())
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(from_fn_with_state(sandbox.clone(), limit))
        .layer(from_fn_with_state(sandbox.clone(), disturb))
        // The paths below are the sandbox's own: faults do not meet them and nothing counts them.
        .merge(front_page::routes())
        .nest("/_sandbox", control::routes())
        .with_state(sandbox.clone())
}
