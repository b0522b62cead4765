//! The rules of Kroger's API behind a bearer token: cart, profile and catalog.
//!
//! Checks no token: `routes` does that first.

pub(crate) mod cart;
pub(crate) mod catalog;
pub(crate) mod profile;
