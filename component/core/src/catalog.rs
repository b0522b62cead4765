//! Kroger's catalog: products, stores, chains, departments, and the profile
//! id of a customer.
//!
//! Kroger's answers vary: fields come and go, change their type and their
//! spelling. So nothing here is derived from a schema; each field is read by
//! itself, what cannot be read is not there, and what is nobody's product or
//! store is left out and said. Nothing of a customer's is kept.

mod cache;
mod cached_read;
mod lenient;
pub mod location;
pub mod locations;
pub mod lookup;
pub mod one_product;
pub mod page;
pub mod page_request;
pub mod preferred_location;
pub mod product;
pub mod products;
pub mod profile;
pub mod search;
mod size;

#[cfg(test)]
pub(crate) mod tests;

pub use size::{Amount, Unit};
