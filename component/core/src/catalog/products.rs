//! Products in Kroger's own form: a page of them, or one. The cache may answer.

use crate::failure::{Cause, Missing};
use serde_json::Value;

use crate::Context;
use crate::catalog::cache::Freshness;
use crate::catalog::cached_read::{CachedRead, without_data};
use crate::catalog::location::LocationId;
use crate::catalog::page::Page;
use crate::catalog::page_request::PageRequest;
use crate::failure::{Code, Failure};
use crate::item::Upc;
use crate::kroger::limits::Endpoint;
use crate::upstream::quota::Purpose;
use crate::user::UserId;

/// Reads one page of products in Kroger's form. Its prices and stock are those of
/// the location that `request` names.
///
/// # Errors
/// `invalid_argument`, which names `limit` or `start`, among others.
pub fn product_page(cx: Context<'_>, user: &UserId, request: &PageRequest, purpose: Purpose) -> Result<Page, Failure> {
    request.selection.check()?;
    let source = CachedRead { endpoint: Endpoint::Products, purpose, freshness: Freshness::Minute };
    let answer = source.answer(cx, user, &request.path())?;
    Page::read(&answer).ok_or_else(|| without_data(Endpoint::Products))
}

/// Reads one product in Kroger's form.
///
/// # Errors
/// `not_found` where Kroger has no such product.
pub fn product_value(
    cx: Context<'_>,
    user: &UserId,
    upc: &Upc,
    location: Option<&LocationId>,
    purpose: Purpose,
) -> Result<Value, Failure> {
    let mut path = format!("/v1/products/{}", upc.as_str());
    if let Some(location) = location {
        path = format!("{path}?filter.locationId={}", location.as_str());
    }
    let source = CachedRead { endpoint: Endpoint::Products, purpose, freshness: Freshness::Minute };
    let answer = source.answer(cx, user, &path).map_err(|failure| match failure.code {
        Code::NotFound => no_such_product(upc),
        _ => failure,
    })?;
    // Some answers hold the product in a list.
    let page = Page::read(&answer).ok_or_else(|| without_data(Endpoint::Products))?;
    page.data.into_iter().next().ok_or_else(|| no_such_product(upc))
}

pub(super) fn no_such_product(upc: &Upc) -> Failure {
    Cause::NotFound(Missing::Product(upc.clone())).into()
}
