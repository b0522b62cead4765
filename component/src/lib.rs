//! The Kroger connector: keeps customers signed in and adds to their carts.
//!
//! [`core`] has the rules and does no I/O; [`ports`] is everything that it can
//! reach. Built for `wasm32-wasip2` this crate is the component whose boundary
//! `wit/world.wit` describes.

pub mod core;
pub mod ports;
