//! The part of a search that names its products by UPC. Kroger ignores all filters
//! then, so this module applies them.

use crate::Context;
use crate::catalog::location::LocationId;
use crate::catalog::lookup::Lookup;
use crate::catalog::page_request::Fulfillment;
use crate::catalog::page_request::MOST_PRODUCTS;
use crate::catalog::product::Product;
use crate::catalog::search::found::TermFound;
use crate::catalog::search::query::{ProductQuery, StockWanted};
use crate::catalog::search::sort::sort;
use crate::failure::Failure;
use crate::item::Upc;
use crate::item::product_number::{Choice, KnownProduct, ProductNumber};
use crate::upstream::quota::Purpose;
use crate::user::UserId;

/// The most calls for single products, if the list tells nothing about the
/// location.
const MOST_ALONE: usize = 10;

/// The numbers of a search, each once.
pub(super) struct ByUpc {
    numbers: Vec<ProductNumber>,
}

impl ByUpc {
    pub(super) fn read(given: &[String]) -> Result<Self, Failure> {
        if given.len() > MOST_PRODUCTS as usize {
            return Err(Failure::invalid_argument("upcs", "1 to 50 UPCs"));
        }
        let mut read = Self { numbers: Vec::new() };
        for (index, text) in given.iter().enumerate() {
            let number = ProductNumber::parse(text)
                .map_err(|no| Failure::invalid_argument(&format!("upcs[{index}]"), &no.allowed()))?;
            if !read.numbers.iter().any(|other| other.readings() == number.readings()) {
                read.numbers.push(number);
            }
        }
        Ok(read)
    }

    pub(super) fn look_up(
        self,
        cx: Context<'_>,
        user: &UserId,
        query: &ProductQuery,
        location: Option<&LocationId>,
    ) -> TermFound {
        let Self { numbers } = self;
        let upcs = readings(&numbers);
        let searched_for = listed(&upcs);
        let lookup = Lookup { location, purpose: Purpose::Browse, most_alone: MOST_ALONE };
        let mut products = match lookup.products(cx, user, &upcs) {
            Ok(products) => products,
            Err(failure) => return TermFound::refused(searched_for, Vec::new(), failure),
        };
        let mut notes = Vec::new();
        let mut meant: Vec<Upc> = Vec::new();
        let known: Vec<KnownProduct> = products.iter().map(KnownProduct::from).collect();
        for number in &numbers {
            match number.choose(&known) {
                Choice::One(reading) => {
                    notes.extend(number.note(reading));
                    meant.push(reading.upc.clone());
                }
                Choice::NoneKnown(_) => {
                    notes.extend(number.note(number.first()));
                    notes.push(unknown(number, location));
                }
                Choice::SeveralKnown(question) => {
                    notes.push(format!("{question}."));
                    meant.extend(number.readings().iter().map(|reading| reading.upc.clone()));
                }
            }
        }
        products.retain(|product| meant.contains(&product.upc));
        let untold = products.iter().filter(|product| !product.knows_location()).count();
        if location.is_some() && untold > 0 {
            notes.push(format!(
                "The list lacks price and stock of {untold} of the products: look up each of them alone."
            ));
        }
        let left_out = leave_out(&mut products, |product| is_wanted(product, query));
        if !left_out.is_empty() {
            notes.push(format!("Left out, as the other arguments ask: {}.", listed(&left_out)));
        }
        sort(&mut products, query.order, |product| product);
        TermFound { searched_for, products, total: None, next_start: None, notes, failure: None }
    }
}

fn listed(upcs: &[Upc]) -> String {
    upcs.iter().map(Upc::as_str).collect::<Vec<_>>().join(", ")
}

/// The UPCs that `numbers` may mean, each once.
fn readings(numbers: &[ProductNumber]) -> Vec<Upc> {
    let mut upcs: Vec<Upc> = Vec::new();
    for reading in numbers.iter().flat_map(ProductNumber::readings) {
        if !upcs.contains(&reading.upc) {
            upcs.push(reading.upc.clone());
        }
    }
    upcs
}

fn unknown(number: &ProductNumber, location: Option<&LocationId>) -> String {
    let place = if location.is_some() { " at this location" } else { "" };
    let upcs: Vec<&str> = number.readings().iter().map(|reading| reading.upc.as_str()).collect();
    format!("Kroger knows no product {}{place}.", upcs.join(" or "))
}

fn leave_out(products: &mut Vec<Product>, is_wanted: impl Fn(&Product) -> bool) -> Vec<Upc> {
    let left_out = products.iter().filter(|product| !is_wanted(product)).map(|product| product.upc.clone()).collect();
    products.retain(is_wanted);
    left_out
}

/// Whether the product passes the filters of `query`. A field that Kroger leaves
/// out passes.
fn is_wanted(product: &Product, query: &ProductQuery) -> bool {
    let is_in_stock = query.stock == StockWanted::Any || !product.knows_location() || product.is_in_stock();
    let is_brought = query.fulfillment.iter().all(|way| offers(product, *way) != Some(false));
    let is_of_brand = query.brand.as_deref().is_none_or(|brands| is_one_of(product.brand.as_deref(), brands));
    is_in_stock && is_brought && is_of_brand
}

fn offers(product: &Product, way: Fulfillment) -> Option<bool> {
    match way {
        Fulfillment::InStore => product.offered.in_store,
        Fulfillment::Pickup => product.offered.pickup,
        Fulfillment::Delivery => product.offered.delivery,
        Fulfillment::Shipping => product.offered.shipping,
    }
}

/// Compares without case, unlike Kroger. `brands` are separated by `|`.
fn is_one_of(brand: Option<&str>, brands: &str) -> bool {
    brand.is_none_or(|brand| brands.split('|').any(|wanted| wanted.trim().eq_ignore_ascii_case(brand)))
}
