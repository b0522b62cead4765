//! What a search asks for.

use crate::catalog::location::LocationId;
use crate::catalog::page_request::{Filter, Fulfillment, MOST_PRODUCTS, PageRequest};
use crate::failure::Failure;

/// The most terms of one search: each is a call to Kroger.
pub const MOST_TERMS: usize = 10;

/// What is searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductQuery {
    /// Each is searched for by itself, 10 at most.
    pub terms: Vec<String>,
    /// One or several, separated by `|`, in Kroger's case.
    pub brand: Option<String>,
    /// UPCs or product ids, 50 at most, looked up besides the terms.
    pub upcs: Vec<String>,
    /// None: the user's preferred store, else the configured one.
    pub location: Option<LocationId>,
    /// All of them; empty: however.
    pub fulfillment: Vec<Fulfillment>,
    pub stock: StockWanted,
    pub order: Order,
    /// How many of each term, 1 to 50; none: 10.
    pub limit: Option<u32>,
    /// How many of Kroger's to skip, 250 at most.
    pub start: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StockWanted {
    #[default]
    Any,
    /// What is known to be out of stock is left out; what is not said stays.
    InStock,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Kroger's.
    #[default]
    Relevance,
    /// What it costs now, the least first.
    Price,
    /// What one ounce, fluid ounce or piece costs, the least first.
    UnitPrice,
}

impl ProductQuery {
    pub(super) fn limit(&self) -> u32 {
        self.limit.unwrap_or(10)
    }
}

/// A page of `query`, whose filter each search puts in.
pub(super) fn page(query: &ProductQuery, location: Option<&LocationId>) -> PageRequest {
    let is_narrowed = query.stock == StockWanted::InStock || query.order != Order::Relevance;
    PageRequest {
        filter: Filter::Brand(String::new()),
        location: location.cloned(),
        fulfillment: query.fulfillment.clone(),
        // What is sorted or left out here is taken of as much as one call gives.
        limit: if is_narrowed { MOST_PRODUCTS } else { query.limit() },
        start: query.start,
    }
}

pub(super) fn brand(text: &str) -> Result<String, Failure> {
    let is_brand = !text.trim().is_empty() && text.chars().count() <= 200 && !text.chars().any(char::is_control);
    if is_brand { Ok(text.trim().to_owned()) } else { Err(Failure::invalid_argument("brand", "1 to 200 characters")) }
}
