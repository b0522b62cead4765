//! Kroger's catalog: products, locations, chains and departments.
//!
//! Fixed tables and pure functions: the same query always has the same answer.

mod hash;
mod location_form;
pub(crate) mod location_queries;
mod location_search;
mod locations;
mod product_form;
pub(crate) mod product_queries;
mod products;
mod query_number;
pub(crate) mod refusal;
mod search_words;
mod shelves;
