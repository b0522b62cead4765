//! Kroger's API behind a bearer token.

pub(crate) mod cart;
pub(crate) mod catalog;
