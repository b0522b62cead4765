//! Looks products up by their UPCs. For a UPC that Kroger does not know, finds the
//! product whose barcode it may be; never puts that product in its place.

use crate::Context;
use crate::catalog::location::LocationId;
use crate::catalog::page_request::{Filter, MOST_PRODUCTS, PageRequest, Selection};
use crate::catalog::product::Product;
use crate::catalog::products::{product_page, product_value};
use crate::failure::{Code, Failure};
use crate::item::{MistakenBarcode, Upc};
use crate::upstream::quota::Purpose;
use crate::user::UserId;

/// Where a lookup asks, and how much of the quota it may spend.
#[derive(Clone, Copy)]
pub(crate) struct Lookup<'a> {
    pub(crate) location: Option<&'a LocationId>,
    pub(crate) purpose: Purpose,
    /// The most products to ask for one by one.
    pub(crate) most_alone: usize,
}

impl Lookup<'_> {
    /// The products among `upcs` that Kroger knows.
    ///
    /// Kroger's document says that a search by UPC ignores all other filters,
    /// the location too. If no product of the answer tells anything about the
    /// location, each product is asked for by itself.
    pub(crate) fn products(self, cx: Context<'_>, user: &UserId, upcs: &[Upc]) -> Result<Vec<Product>, Failure> {
        let mut known = Vec::with_capacity(upcs.len());
        for batch in upcs.chunks(MOST_PRODUCTS as usize) {
            known.extend(self.listed(cx, user, batch.to_vec())?);
        }
        if !known.iter().any(Product::knows_location) {
            self.ask_alone(cx, user, &mut known)?;
        }
        Ok(known)
    }

    fn listed(self, cx: Context<'_>, user: &UserId, upcs: Vec<Upc>) -> Result<Vec<Product>, Failure> {
        let location = self.location.cloned();
        let selection = Selection { location, fulfillment: Vec::new(), limit: MOST_PRODUCTS, start: 0 };
        let request = PageRequest { filter: Filter::Upcs(upcs), selection };
        let page = product_page(cx, user, &request, self.purpose)?;
        Ok(page.data.iter().filter_map(Product::read).collect())
    }

    fn ask_alone(self, cx: Context<'_>, user: &UserId, known: &mut [Product]) -> Result<(), Failure> {
        let Some(location) = self.location else { return Ok(()) };
        for product in known.iter_mut().take(self.most_alone) {
            match product_value(cx, user, &product.upc, Some(location), self.purpose) {
                Ok(value) => *product = Product::read(&value).unwrap_or_else(|| product.clone()),
                Err(failure) if failure.code == Code::NotFound => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }
}

/// The UPCs that `products` lack.
pub(crate) fn missing(upcs: &[Upc], products: &[Product]) -> Vec<Upc> {
    upcs.iter().filter(|upc| !products.iter().any(|product| product.upc == **upc)).cloned().collect()
}

/// Finds the UPCs that Kroger does not know, and that are whole barcodes, with
/// check digit, of products that it knows.
///
/// One call to Kroger serves 25 UPCs that look like a barcode; the others cost
/// nothing. Empty if Kroger does not answer.
pub fn mistaken_barcodes(cx: Context<'_>, user: &UserId, upcs: &[Upc]) -> Vec<MistakenBarcode> {
    let pairs: Vec<(&Upc, Upc)> = upcs.iter().filter_map(|upc| Some((upc, upc.of_barcode()?))).collect();
    let lookup = Lookup { location: None, purpose: Purpose::Cart, most_alone: 0 };
    let both = pairs.iter().flat_map(|(given, meant)| [(*given).clone(), meant.clone()]).collect::<Vec<_>>();
    if both.is_empty() {
        return Vec::new();
    }
    let known = lookup.products(cx, user, &both).unwrap_or_default();
    let find = |upc: &Upc| known.iter().find(|product| product.upc == *upc);
    let unknown = pairs.into_iter().filter(|(given, _)| find(given).is_none());
    let mistaken = unknown.filter_map(|(given, meant)| {
        let description = find(&meant)?.description.clone();
        Some(MistakenBarcode { given: given.clone(), meant, description })
    });
    mistaken.collect()
}
