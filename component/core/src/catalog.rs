//! Kroger's catalogue: products, stores, chains, departments, and the profile
//! id of a customer.
//!
//! Kroger's answers vary: fields come and go, change their type and their
//! spelling. So nothing here is derived from a schema; each field is read by
//! itself, what cannot be read is not there, and what is nobody's product or
//! store is left out and said. Nothing of a customer's is kept.

pub(crate) mod cache;
pub mod check;
mod lenient;
pub mod location;
pub mod locations;
pub mod lookup;
pub mod page;
pub mod preferred_location;
pub mod product;
pub mod search;
mod size;

#[cfg(test)]
mod tests;

pub use size::{Amount, Unit};

use serde_json::Value;

use crate::Context;
use crate::failure::{Code, Failure};
use crate::item::Upc;
use crate::upstream::quota::{Endpoint, Purpose};
use crate::upstream::reading::{self, Reading, TokenOf};
use crate::user::UserId;
use cache::Freshness;
use location::LocationId;
use page::{Page, PageRequest};

const PRODUCT_SCOPE: &str = "product.compact";
const PROFILE_SCOPE: &str = "profile.compact";

/// Who a customer is at Kroger: an id, and nothing more. Kroger's terms forbid
/// to key anything by it, so nothing here keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub id: String,
}

/// One page of products in Kroger's form, of `request.location` and no other.
pub fn product_page(cx: Context<'_>, user: &UserId, request: &PageRequest, purpose: Purpose) -> Result<Page, Failure> {
    request.check()?;
    let source = Source { endpoint: Endpoint::Products, purpose, freshness: Freshness::Minute };
    let answer = source.answer(cx, user, &request.path())?;
    Page::read(&answer).ok_or_else(|| without_data(Endpoint::Products))
}

/// One product in Kroger's form.
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
    let source = Source { endpoint: Endpoint::Products, purpose, freshness: Freshness::Minute };
    let answer = source.answer(cx, user, &path).map_err(|failure| match failure.code {
        Code::NotFound => no_such_product(upc),
        _ => failure,
    })?;
    // Some answer one product with a list of it.
    let page = Page::read(&answer).ok_or_else(|| without_data(Endpoint::Products))?;
    page.data.into_iter().next().ok_or_else(|| no_such_product(upc))
}

fn no_such_product(upc: &Upc) -> Failure {
    Failure::new(
        Code::NotFound,
        format!("Kroger knows no product {}.", upc.as_str()),
        "Check the UPC, which has no check digit, or search for the product by name.",
    )
}

/// The store to look at: the one that is named, else the user's preferred one,
/// else the configured one.
pub fn store_of(cx: Context<'_>, user: &UserId, named: Option<&LocationId>) -> Result<Option<LocationId>, Failure> {
    match named {
        Some(location) => Ok(Some(location.clone())),
        None => Ok(preferred_location::of(cx, user)?.map(|preferred| preferred.location)),
    }
}

/// The profile id of the signed-in user, read anew each time.
pub fn profile(cx: Context<'_>, user: &UserId) -> Result<Profile, Failure> {
    let reading = Reading {
        endpoint: Endpoint::Identity,
        purpose: Purpose::Browse,
        path: "/v1/identity/profile",
        token: TokenOf::User(user),
        scope: Some(PROFILE_SCOPE),
    };
    let answer = reading::read(cx, reading)?;
    let id = answer.get("data").and_then(|data| lenient::text(data, "id"));
    id.map(|id| Profile { id }).ok_or_else(|| without_data(Endpoint::Identity))
}

/// Where an answer comes from, and how long it is good.
#[derive(Clone, Copy)]
struct Source {
    endpoint: Endpoint,
    purpose: Purpose,
    freshness: Freshness,
}

impl Source {
    /// From the cache, else from Kroger; a failure is not kept.
    fn answer(self, cx: Context<'_>, user: &UserId, path: &str) -> Result<Value, Failure> {
        if let Some(kept) = cache::get(cx, path, self.freshness) {
            return Ok(kept);
        }
        let reading = Reading {
            endpoint: self.endpoint,
            purpose: self.purpose,
            path,
            token: TokenOf::App(user),
            scope: (self.endpoint == Endpoint::Products).then_some(PRODUCT_SCOPE),
        };
        let answer = reading::read(cx, reading)?;
        if answer.get("data").is_some() {
            cache::put(cx, path, &answer);
        }
        Ok(answer)
    }
}

fn without_data(endpoint: Endpoint) -> Failure {
    Failure::new(
        Code::UpstreamNonsense,
        format!("What answered for Kroger's {} has no data in it.", endpoint.as_str()),
        "Check KROGER_API_BASE_URL and whether a proxy stands between; then try again.",
    )
}
