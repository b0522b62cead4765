//! One product at the location where the user shops. Changes nothing.

use crate::Context;
use crate::catalog::location::LocationId;
use crate::catalog::product::Product;
use crate::catalog::products::{no_such_product, product_value};
use crate::catalog::{locations, lookup, preferred_location};
use crate::failure::Failure;
use crate::item::product_number::ProductNumber;
use crate::upstream::quota::Purpose;
use crate::user::UserId;

/// One product, as [`product`] finds it.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundProduct {
    pub product: Product,
    /// The location of its price and stock. None: no location is chosen.
    pub location: Option<LocationId>,
    /// How the number was read. None: it was given in Kroger's form.
    pub note: Option<String>,
}

/// Reads one product, and tells its location: the one named, else preferred, else
/// configured.
///
/// # Errors
/// `not_found` if Kroger has no such product or no such location.
pub fn product(
    cx: Context<'_>,
    user: &UserId,
    number: &ProductNumber,
    location: Option<&LocationId>,
) -> Result<FoundProduct, Failure> {
    let location = preferred_location::or_named(cx, user, location)?;
    let (product, note) = lookup::read_one(cx, user, number, "upc", |upc| {
        let value = product_value(cx, user, upc, location.as_ref(), Purpose::Browse)?;
        Product::read(&value).ok_or_else(|| no_such_product(upc))
    })?;
    if !product.knows_location() {
        locations::confirm(cx, user, location.as_ref())?;
    }
    Ok(FoundProduct { product, location, note })
}
