//! Searching for products as a person would have it: several things at once, in
//! stock, the cheapest first.

mod brands;
mod by_upc;

use crate::Context;
use crate::catalog::location::LocationId;
use crate::catalog::page::{Filter, Fulfillment, MOST_PRODUCTS, Page, PageRequest, Term};
use crate::catalog::product::Product;
use crate::catalog::{locations, lookup, no_such_product, product_page, store_of};
use crate::failure::{Cause, Code, Failure};
use crate::item::Upc;
use crate::upstream::quota::Purpose;
use crate::user::UserId;
use by_upc::ByUpc;

const NO_STORE: &str =
    "No store is chosen, so there are no prices and no stock: name a store, or choose a preferred one.";

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

/// One search to make.
enum Step {
    /// A call to Kroger, in words and as a request.
    Page {
        searched_for: String,
        request: PageRequest,
        notes: Vec<String>,
    },
    Upcs(ByUpc),
    /// What was given cannot be searched for.
    Refused {
        searched_for: String,
        failure: Failure,
    },
}

/// Searches for each of the terms, and looks up the UPCs.
///
/// # Errors
/// `invalid_argument`; `not_found` where there is no such store; what each
/// search failed with, if all did.
pub fn search_products(cx: Context<'_>, user: &UserId, query: &ProductQuery) -> Result<ProductsFound, Failure> {
    let location = store_of(cx, user, query.location.as_ref())?;
    let steps = steps(query, location.as_ref())?;
    let mut found = Vec::with_capacity(steps.len());
    for step in steps {
        found.push(step.take(cx, user, query, location.as_ref()));
    }
    match found.iter().find_map(|one| one.failure.clone()) {
        Some(failure) if found.iter().all(|one| one.failure.is_some()) => return Err(failure),
        _ => {}
    }
    let is_nothing = query.upcs.is_empty() && found.iter().all(Found::is_nothing);
    let brand = query.brand.as_deref().map(str::trim).filter(|_| is_nothing);
    let others = brand.map(|brand| brands::others(cx, user, query, brand, location.as_ref())).unwrap_or_default();
    if others.is_empty() && !found.iter().any(Found::tells_of_store) {
        locations::confirm(cx, user, location.as_ref())?;
    }
    let mut notes: Vec<String> = brand.map(|brand| brands::note(brand, &others)).into_iter().collect();
    if location.is_none() {
        notes.push(NO_STORE.to_owned());
    }
    Ok(ProductsFound { location, found, notes })
}

impl Found {
    /// Kroger has nothing; not that all of it was left out here.
    fn is_nothing(&self) -> bool {
        self.products.is_empty() && self.total.unwrap_or(0) == 0
    }

    /// Whether the store that was asked about must be there.
    fn tells_of_store(&self) -> bool {
        self.total.is_some_and(|total| total > 0) || self.products.iter().any(Product::knows_store)
    }

    fn refused(searched_for: String, notes: Vec<String>, failure: Failure) -> Self {
        Self { searched_for, products: Vec::new(), total: None, next_start: None, notes, failure: Some(failure) }
    }
}

fn steps(query: &ProductQuery, location: Option<&LocationId>) -> Result<Vec<Step>, Failure> {
    if query.terms.len() > MOST_TERMS {
        let allowed = "1 to 10 terms a call, each a search of its own; search for the others in another call";
        return Err(Failure::invalid_argument("terms", allowed));
    }
    let brand = query.brand.as_deref().map(brand).transpose()?;
    let page = page(query, location);
    PageRequest { filter: Filter::Brand(String::new()), limit: query.limit(), ..page.clone() }.check()?;
    let each = query.terms.iter().enumerate();
    let mut steps: Vec<Step> = each.map(|(index, text)| term(index, text, brand.as_deref(), &page)).collect();
    if let Some(brand) = brand.filter(|_| query.terms.is_empty() && query.upcs.is_empty()) {
        let request = PageRequest { filter: Filter::Brand(brand.clone()), ..page };
        steps.push(Step::Page { searched_for: brand, request, notes: Vec::new() });
    }
    if !query.upcs.is_empty() {
        steps.push(Step::Upcs(ByUpc::read(&query.upcs)?));
    }
    if steps.is_empty() {
        return Err(Failure::invalid_argument("terms", "something to search for: a term, a brand or a UPC"));
    }
    Ok(steps)
}

/// A page of `query`, whose filter each search puts in.
fn page(query: &ProductQuery, location: Option<&LocationId>) -> PageRequest {
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

/// One term that cannot be searched for does not take the others with it.
fn term(index: usize, text: &str, brand: Option<&str>, page: &PageRequest) -> Step {
    match Term::parse(text) {
        Ok((term, note)) => {
            let searched_for = term.as_str().to_owned();
            let filter = Filter::Term { term, brand: brand.map(str::to_owned) };
            let request = PageRequest { filter, ..page.clone() };
            Step::Page { searched_for, request, notes: note.into_iter().collect() }
        }
        Err(allowed) => Step::Refused {
            searched_for: text.chars().filter(|c| !c.is_control()).take(64).collect(),
            failure: Failure::invalid_argument(&format!("terms[{index}]"), allowed),
        },
    }
}

fn brand(text: &str) -> Result<String, Failure> {
    let is_brand = !text.trim().is_empty() && text.chars().count() <= 200 && !text.chars().any(char::is_control);
    if is_brand { Ok(text.trim().to_owned()) } else { Err(Failure::invalid_argument("brand", "1 to 200 characters")) }
}

impl ProductQuery {
    fn limit(&self) -> u32 {
        self.limit.unwrap_or(10)
    }
}

impl Step {
    fn take(self, cx: Context<'_>, user: &UserId, query: &ProductQuery, location: Option<&LocationId>) -> Found {
        match self {
            Self::Page { searched_for, request, notes } => match product_page(cx, user, &request, Purpose::Browse) {
                Ok(page) => found(query, &request, &page, searched_for, notes),
                Err(failure) => Found::refused(searched_for, notes, failure),
            },
            Self::Upcs(upcs) => upcs.look_up(cx, user, query, location),
            Self::Refused { searched_for, failure } => Found::refused(searched_for, Vec::new(), failure),
        }
    }
}

fn found(
    query: &ProductQuery,
    request: &PageRequest,
    page: &Page,
    searched_for: String,
    mut notes: Vec<String>,
) -> Found {
    let all: Vec<Product> = page.data.iter().filter_map(Product::read).collect();
    if page.left_out > 0 {
        notes.push(format!("{} of Kroger's products could not be read and were left out.", page.left_out));
    }
    let seen = u32::try_from(all.len() + page.left_out).unwrap_or(u32::MAX);
    let has_more = page.total.map_or(seen == request.limit, |total| request.start + seen < total);
    let mut kept: Vec<(u32, Product)> = (0..).zip(all).collect();
    if query.stock == StockWanted::InStock && request.location.is_some() {
        kept.retain(|(_, product)| product.is_in_stock());
    }
    let sorted = sort(&mut kept, query.order, |(_, product)| product);
    let is_cut = kept.len() > query.limit() as usize;
    kept.truncate(query.limit() as usize);
    if sorted && has_more {
        notes.push(format!("Sorted among the first {seen} that Kroger found; narrow the search to see others."));
    } else if sorted && is_cut {
        notes.push("Sorted among all that Kroger found; a higher limit shows more of them.".to_owned());
    }
    let next = match kept.last() {
        _ if sorted => None,
        Some((index, _)) if is_cut => Some(request.start + index + 1),
        _ if has_more => Some(request.start + seen),
        _ => None,
    };
    let products = kept.into_iter().map(|(_, product)| product).collect();
    let next_start = next.filter(|start| *start <= 250);
    Found { searched_for, products, total: page.total, next_start, notes, failure: None }
}

/// Whether Kroger's order was left. What has no price comes last; unit prices
/// are compared within a unit, that of most products first.
fn sort<T>(found: &mut [T], order: Order, product: impl Fn(&T) -> &Product) -> bool {
    match order {
        Order::Relevance => return false,
        Order::Price => {
            found.sort_by_key(|one| product(one).price.map_or(u64::MAX, |price| price.current().0));
        }
        Order::UnitPrice => {
            let units: Vec<_> = found.iter().filter_map(|one| Some(product(one).unit_price?.unit)).collect();
            let others = |unit| units.iter().filter(|other| **other != unit).count();
            let rank = |one: &T| {
                product(one)
                    .unit_price
                    .map_or((usize::MAX, None, f64::MAX), |price| (others(price.unit), Some(price.unit), price.dollars))
            };
            found.sort_by(|one, other| {
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
    let value = crate::catalog::product_value(cx, user, upc, location.as_ref(), Purpose::Browse)
        .map_err(|failure| if failure.code == Code::NotFound { unknown(cx, user, upc) } else { failure })?;
    let product = Product::read(&value).ok_or_else(|| no_such_product(upc))?;
    if !product.knows_store() {
        locations::confirm(cx, user, location.as_ref())?;
    }
    Ok((product, location))
}

/// What may have been meant is asked, and never taken.
fn unknown(cx: Context<'_>, user: &UserId, upc: &Upc) -> Failure {
    let mistaken = lookup::mistaken_barcodes(cx, user, std::slice::from_ref(upc)).into_iter().next();
    Cause::NoSuchProduct(upc.clone(), mistaken).into()
}
