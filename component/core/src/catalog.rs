//! Kroger's catalog: products, locations, chains, departments, and the profile
//! id of a customer.
//!
//! Kroger's answers vary: fields come and go, and change their type and spelling.
//! So no schema is derived. Each field is read by itself, and a field that cannot
//! be read counts as absent. A product or location that cannot be identified is
//! left out, and the answer tells how many were.
//!
//! The catalog keeps no data of a customer, except the choice of a location.

pub(crate) mod cache;
mod cached_read;
mod lenient;
pub mod location;
pub mod locations;
pub mod lookup;
pub mod one_product;
pub(crate) mod page;
pub mod page_request;
pub mod preferred_location;
pub mod product;
pub mod products;
pub mod profile;
pub mod search;
pub(crate) mod size;

#[cfg(test)]
pub(crate) mod tests;
