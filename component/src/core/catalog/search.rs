//! Searching for products as a person would have it: several things at once, in
//! stock, the cheapest first.

use super::location::LocationId;
use super::page::{Filter, Fulfillment, MOST_PRODUCTS, Page, PageRequest, Term};
use super::product::Product;
use super::{product_page, store_of};
use crate::core::Context;
use crate::core::failure::{Code, Failure};
use crate::core::item::Upc;
use crate::core::quota::Purpose;
use crate::core::user::UserId;

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

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductsFound {
    /// The store that prices and stock are of.
    pub location: Option<LocationId>,
    /// For each term in turn, then for the UPCs.
    pub found: Vec<Found>,
    /// One sentence for each thing to know about all of it.
    pub notes: Vec<String>,
}

/// What was found for one term, the brand alone, or the UPCs.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub searched_for: String,
    pub products: Vec<Product>,
    /// How many Kroger has, where it says.
    pub total: Option<u32>,
    /// Where a search goes on; none: there is no more.
    pub next_start: Option<u32>,
    pub notes: Vec<String>,
    /// Why there is nothing, while something else was found.
    pub failure: Option<Failure>,
}

/// One call to make, in words and as a request.
struct Step {
    searched_for: String,
    request: PageRequest,
    notes: Vec<String>,
}

/// Searches for each of the terms, and looks up the UPCs.
///
/// # Errors
/// `invalid_argument`; what each search failed with, if all did.
pub fn search_products(cx: Context<'_>, user: &UserId, query: &ProductQuery) -> Result<ProductsFound, Failure> {
    let limit = query.limit.unwrap_or(10);
    let location = store_of(cx, user, query.location.as_ref())?;
    let mut notes = Vec::new();
    if location.is_none() {
        notes.push(
            "No store is chosen, so there are no prices and no stock: name a store, or choose a preferred one."
                .to_owned(),
        );
    }
    let steps = steps(query, limit, location.as_ref())?;
    let wanted = if location.is_some() { query.stock } else { StockWanted::Any };
    let mut found = Vec::with_capacity(steps.len());
    for step in steps {
        found.push(step.take(cx, user, query.order, wanted, limit));
    }
    match found.iter().find_map(|one| one.failure.clone()) {
        Some(failure) if found.iter().all(|one| one.failure.is_some()) => Err(failure),
        _ => Ok(ProductsFound { location, found, notes }),
    }
}

fn steps(query: &ProductQuery, limit: u32, location: Option<&LocationId>) -> Result<Vec<Step>, Failure> {
    if query.terms.len() > MOST_TERMS {
        return Err(Failure::invalid_argument("terms", "1 to 10 terms; each is a search of its own"));
    }
    let brand = query.brand.as_deref().map(brand).transpose()?;
    let is_narrowed = query.stock == StockWanted::InStock || query.order != Order::Relevance;
    let page = |filter| PageRequest {
        filter,
        location: location.cloned(),
        fulfillment: query.fulfillment.clone(),
        // What is sorted or left out here is taken of as much as one call gives.
        limit: if is_narrowed { MOST_PRODUCTS } else { limit },
        start: query.start,
    };
    let mut steps = Vec::new();
    for text in &query.terms {
        let (term, note) = Term::parse(text).map_err(|allowed| Failure::invalid_argument("terms", allowed))?;
        let searched_for = term.as_str().to_owned();
        let request = page(Filter::Term { term, brand: brand.clone() });
        steps.push(Step { searched_for, request, notes: note.into_iter().collect() });
    }
    if let Some(brand) = brand.filter(|_| query.terms.is_empty() && query.upcs.is_empty()) {
        steps.push(Step { searched_for: brand.clone(), request: page(Filter::Brand(brand)), notes: Vec::new() });
    }
    if !query.upcs.is_empty() {
        steps.push(by_upc(&query.upcs, location)?);
    }
    if steps.is_empty() {
        return Err(Failure::invalid_argument("terms", "something to search for: a term, a brand or a UPC"));
    }
    let checked = PageRequest { limit, ..steps[0].request.clone() };
    checked.check().map(|()| steps)
}

fn brand(text: &str) -> Result<String, Failure> {
    let is_brand = !text.trim().is_empty() && text.chars().count() <= 200 && !text.chars().any(char::is_control);
    if is_brand { Ok(text.trim().to_owned()) } else { Err(Failure::invalid_argument("brand", "1 to 200 characters")) }
}

/// Looked up by name, nothing is left out and there is one page.
fn by_upc(given: &[String], location: Option<&LocationId>) -> Result<Step, Failure> {
    if given.len() > MOST_PRODUCTS as usize {
        return Err(Failure::invalid_argument("upcs", "1 to 50 UPCs"));
    }
    let (mut upcs, mut notes): (Vec<Upc>, Vec<String>) = (Vec::new(), Vec::new());
    for (index, text) in given.iter().enumerate() {
        let read = Upc::parse(text).map_err(|allowed| Failure::invalid_argument(&format!("upcs[{index}]"), allowed))?;
        notes.extend(read.note);
        if !upcs.contains(&read.upc) {
            upcs.push(read.upc);
        }
    }
    let searched_for = upcs.iter().map(Upc::as_str).collect::<Vec<_>>().join(", ");
    let request = PageRequest {
        filter: Filter::Upcs(upcs),
        location: location.cloned(),
        fulfillment: Vec::new(),
        limit: MOST_PRODUCTS,
        start: 0,
    };
    Ok(Step { searched_for, request, notes })
}

impl Step {
    fn take(self, cx: Context<'_>, user: &UserId, order: Order, wanted: StockWanted, limit: u32) -> Found {
        match product_page(cx, user, &self.request, Purpose::Browse) {
            Ok(page) => self.found(&page, order, wanted, limit),
            Err(failure) => Found {
                searched_for: self.searched_for,
                products: Vec::new(),
                total: None,
                next_start: None,
                notes: self.notes,
                failure: Some(failure),
            },
        }
    }

    fn found(mut self, page: &Page, order: Order, wanted: StockWanted, limit: u32) -> Found {
        let all: Vec<Product> = page.data.iter().filter_map(Product::read).collect();
        if page.left_out > 0 {
            self.notes.push(format!("{} of Kroger's products could not be read and were left out.", page.left_out));
        }
        if let Filter::Upcs(upcs) = &self.request.filter {
            let missing = upcs.iter().filter(|upc| !all.iter().any(|product| product.upc == **upc));
            self.notes.extend(missing.map(|upc| {
                let place = if self.request.location.is_some() { " at this store" } else { "" };
                format!("Kroger knows no product {}{place}.", upc.as_str())
            }));
            return self.end(all, page.total, None);
        }
        let seen = u32::try_from(all.len() + page.left_out).unwrap_or(u32::MAX);
        let has_more = page.total.map_or(seen == self.request.limit, |total| self.request.start + seen < total);
        let mut kept: Vec<(u32, Product)> = (0..).zip(all).collect();
        if wanted == StockWanted::InStock {
            kept.retain(|(_, product)| product.is_in_stock());
        }
        let sorted = sort(&mut kept, order);
        let is_cut = kept.len() > limit as usize;
        kept.truncate(limit as usize);
        if sorted && (has_more || is_cut) {
            self.notes
                .push(format!("Sorted among the first {seen} that Kroger found; narrow the search to see others."));
        }
        let next = match kept.last() {
            _ if sorted => None,
            Some((index, _)) if is_cut => Some(self.request.start + index + 1),
            _ if has_more => Some(self.request.start + seen),
            _ => None,
        };
        let products = kept.into_iter().map(|(_, product)| product).collect();
        self.end(products, page.total, next.filter(|start| *start <= 250))
    }

    fn end(self, products: Vec<Product>, total: Option<u32>, next_start: Option<u32>) -> Found {
        Found { searched_for: self.searched_for, products, total, next_start, notes: self.notes, failure: None }
    }
}

/// Whether Kroger's order was left. What has no price comes last; unit prices
/// are compared within a unit, that of most products first.
fn sort(products: &mut [(u32, Product)], order: Order) -> bool {
    match order {
        Order::Relevance => return false,
        Order::Price => {
            products.sort_by_key(|(_, product)| product.price.map_or(u64::MAX, |price| price.current().0));
        }
        Order::UnitPrice => {
            let units: Vec<_> = products.iter().filter_map(|(_, product)| Some(product.unit_price?.unit)).collect();
            let others = |unit| units.iter().filter(|other| **other != unit).count();
            products.sort_by(|(_, one), (_, other)| {
                let rank = |product: &Product| {
                    let unit_price = product.unit_price;
                    unit_price.map_or((usize::MAX, None, f64::MAX), |price| {
                        (others(price.unit), Some(price.unit), price.dollars)
                    })
                };
                let ((most, unit, dollars), (most_other, unit_other, dollars_other)) = (rank(one), rank(other));
                (most, unit).cmp(&(most_other, unit_other)).then(dollars.total_cmp(&dollars_other))
            });
        }
    }
    true
}

/// One product, at the store where one is named, preferred or configured.
///
/// # Errors
/// `not_found` where Kroger has no such product.
pub fn product(
    cx: Context<'_>,
    user: &UserId,
    upc: &Upc,
    location: Option<&LocationId>,
) -> Result<(Product, Option<LocationId>), Failure> {
    let location = store_of(cx, user, location)?;
    let value = super::product_value(cx, user, upc, location.as_ref(), Purpose::Browse)?;
    let product = Product::read(&value).ok_or_else(|| no_such_product(upc))?;
    Ok((product, location))
}

pub(super) fn no_such_product(upc: &Upc) -> Failure {
    Failure::new(
        Code::NotFound,
        format!("Kroger knows no product {}.", upc.as_str()),
        "Check the UPC, which has no check digit, or search for the product by name.",
    )
}
