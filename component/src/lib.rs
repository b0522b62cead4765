//! The Kroger connector keeps customers signed in and adds to their carts.
//!
//! [`kroger_core`] has the rules and does no I/O. This crate translates calls into them: [`http`] has the routes,
//! `mcp` the tools, `wasi` the typed exports and the ports. Built for `wasm32-wasip2` this crate is the component
//! that `wit/world.wit` describes.

mod edge;
mod fields;
pub mod http;
mod mcp;
#[cfg(target_family = "wasm")]
pub mod wasi;
mod words;
