//! One product at the location where the user shops. Changes nothing.

use crate::Context;
use crate::catalog::location::LocationId;
use crate::catalog::product::Product;
use crate::catalog::products::{no_such_product, product_value};
use crate::catalog::{locations, lookup, preferred_location};
use crate::failure::{Cause, Code, Failure, Missing};
use crate::item::Upc;
use crate::upstream::quota::Purpose;
use crate::user::UserId;

/// Reads one product, and tells its location: the one named, else preferred, else
/// configured.
///
/// # Errors
/// `not_found` if Kroger has no such product or no such location.
pub fn product(
    cx: Context<'_>,
    user: &UserId,
    upc: &Upc,
    location: Option<&LocationId>,
) -> Result<(Product, Option<LocationId>), Failure> {
    let location = preferred_location::or_named(cx, user, location)?;
    let value = product_value(cx, user, upc, location.as_ref(), Purpose::Browse)
        .map_err(|failure| if failure.code == Code::NotFound { unknown(cx, user, upc) } else { failure })?;
    let product = Product::read(&value).ok_or_else(|| no_such_product(upc))?;
    if !product.knows_location() {
        locations::confirm(cx, user, location.as_ref())?;
    }
    Ok((product, location))
}

/// Asks whether the UPC is the barcode of a product; never takes that product
/// instead.
fn unknown(cx: Context<'_>, user: &UserId, upc: &Upc) -> Failure {
    let mistaken = lookup::mistaken_barcodes(cx, user, std::slice::from_ref(upc)).into_iter().next();
    Cause::NotFound(Missing::Product(upc.clone(), mistaken.map(Box::new))).into()
}
