//! A search as callers ask it. Sends nothing.

use crate::catalog::location::LocationId;
use crate::catalog::page_request::{Fulfillment, MOST_PRODUCTS, Selection};
use crate::failure::Failure;
use crate::text::is_clean;

/// The most terms of one search: each is a call to Kroger.
pub(crate) const MOST_TERMS: usize = 10;

/// A search for products.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductQuery {
    /// Up to `MOST_TERMS` terms, each a search of its own.
    pub terms: Vec<String>,
    /// One brand, or several separated by `|`. Kroger compares upper and lower
    /// case.
    pub brand: Option<String>,
    /// Up to 50 UPCs or product ids to look up, besides the terms.
    pub upcs: Vec<String>,
    /// None: the user's preferred location, else the configured one.
    pub location: Option<LocationId>,
    /// A product must be offered in all of these ways. Empty: in any way.
    pub fulfillment: Vec<Fulfillment>,
    pub stock: StockWanted,
    pub order: ProductOrder,
    /// The most products for each term: 1 to 50. None: 10.
    pub limit: Option<u32>,
    /// How many of Kroger's products to skip: 0 to 250.
    pub start: u32,
}

/// Which stock a product must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StockWanted {
    #[default]
    Any,
    /// Leaves out products that are known to be out of stock. A product of unknown
    /// stock stays.
    InStock,
}

/// The order of the products found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProductOrder {
    /// Kroger's own order.
    #[default]
    Relevance,
    /// The price now, lowest first.
    Price,
    /// The price of one ounce, fluid ounce or piece, lowest first.
    UnitPrice,
}

impl ProductQuery {
    pub(super) fn limit(&self) -> u32 {
        self.limit.unwrap_or(10)
    }
}

/// The page to ask Kroger for. A search that sorts, or that leaves products out,
/// asks for as many as one call gives.
pub(super) fn selection(query: &ProductQuery, location: Option<&LocationId>) -> Selection {
    let is_narrowed = query.stock == StockWanted::InStock || query.order != ProductOrder::Relevance;
    Selection {
        location: location.cloned(),
        fulfillment: query.fulfillment.clone(),
        limit: if is_narrowed { MOST_PRODUCTS } else { query.limit() },
        start: query.start,
    }
}

pub(super) fn brand(text: &str) -> Result<String, Failure> {
    let is_brand = !text.trim().is_empty() && text.chars().count() <= 200 && is_clean(text);
    if is_brand { Ok(text.trim().to_owned()) } else { Err(Failure::invalid_argument("brand", "1 to 200 characters")) }
}
