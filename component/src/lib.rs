//! The Kroger connector: keeps customers signed in and adds to their carts.
//!
//! [`core`] has the rules and does no I/O; [`ports`] is everything that it can
//! reach; [`http`] has the routes. Built for `wasm32-wasip2` this crate is the
//! component whose boundary `wit/world.wit` describes, and `wasi` is where it
//! meets its host.

mod edge;
mod fields;
pub mod http;
mod mcp;
#[cfg(target_family = "wasm")]
pub mod wasi;
