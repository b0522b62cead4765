//! The part of a search that names its products by UPC. Kroger ignores all filters
//! then, so this module applies them.

use crate::Context;
use crate::catalog::location::LocationId;
use crate::catalog::lookup::{self, Lookup};
use crate::catalog::page_request::Fulfillment;
use crate::catalog::page_request::MOST_PRODUCTS;
use crate::catalog::product::Product;
use crate::catalog::search::found::TermFound;
use crate::catalog::search::query::{ProductQuery, StockWanted};
use crate::catalog::search::sort::sort;
use crate::failure::Failure;
use crate::item::{MistakenBarcode, Upc};
use crate::upstream::quota::Purpose;
use crate::user::UserId;

/// The most calls for single products, if the list tells nothing about the
/// location.
const MOST_ALONE: usize = 10;

/// The UPCs of a search, each once, with a note for each correction.
pub(super) struct ByUpc {
    upcs: Vec<Upc>,
    notes: Vec<String>,
}

impl ByUpc {
    pub(super) fn read(given: &[String]) -> Result<Self, Failure> {
        if given.len() > MOST_PRODUCTS as usize {
            return Err(Failure::invalid_argument("upcs", "1 to 50 UPCs"));
        }
        let mut read = Self { upcs: Vec::new(), notes: Vec::new() };
        for (index, text) in given.iter().enumerate() {
            let upc = Upc::parse(text);
            let upc = upc.map_err(|allowed| Failure::invalid_argument(&format!("upcs[{index}]"), allowed))?;
            read.notes.extend(upc.note);
            if !read.upcs.contains(&upc.upc) {
                read.upcs.push(upc.upc);
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
        let Self { upcs, mut notes } = self;
        let searched_for = listed(&upcs);
        let lookup = Lookup { location, purpose: Purpose::Browse, most_alone: MOST_ALONE };
        let mut products = match lookup.products(cx, user, &upcs) {
            Ok(products) => products,
            Err(failure) => return TermFound::refused(searched_for, notes, failure),
        };
        let missing = lookup::missing(&upcs, &products);
        notes.extend(missing.iter().map(|upc| unknown(upc, location)));
        let mistaken = lookup::mistaken_barcodes(cx, user, &missing);
        notes.extend(mistaken.iter().map(MistakenBarcode::question));
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

fn unknown(upc: &Upc, location: Option<&LocationId>) -> String {
    let place = if location.is_some() { " at this location" } else { "" };
    format!("Kroger knows no product {}{place}.", upc.as_str())
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
