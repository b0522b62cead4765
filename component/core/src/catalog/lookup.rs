//! Looks products up by their UPCs. Finds which reading of a number Kroger knows.

use serde_json::json;

use crate::Context;
use crate::catalog::cache::{self, Freshness};
use crate::catalog::location::LocationId;
use crate::catalog::page_request::{Filter, MOST_PRODUCTS, PageRequest, Selection};
use crate::catalog::product::Product;
use crate::catalog::products::{no_such_product, product_page, product_value};
use crate::failure::{Code, Correction, Failure, NextStep};
use crate::item::Upc;
use crate::item::product_number::{Choice, Form, KnownProduct, ProductNumber};
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

/// The products among `upcs` that Kroger knows, at any location.
///
/// That Kroger has a product is remembered for a day. That it has none is not.
///
/// # Errors
/// Kroger's catalog cannot be asked.
pub(crate) fn known(
    cx: Context<'_>,
    user: &UserId,
    upcs: &[Upc],
    purpose: Purpose,
) -> Result<Vec<KnownProduct>, Failure> {
    let mut known = Vec::new();
    let mut unasked: Vec<Upc> = Vec::new();
    for upc in upcs {
        match remembered(cx, upc) {
            Some(product) => known.push(product),
            None if unasked.contains(upc) => {}
            None => unasked.push(upc.clone()),
        }
    }
    let lookup = Lookup { location: None, purpose, most_alone: 0 };
    let found = if unasked.is_empty() { Vec::new() } else { lookup.products(cx, user, &unasked)? };
    for Product { upc, description, .. } in found {
        cache::put(cx, &memory(&upc), &json!({ "description": description }));
        known.push(KnownProduct { upc, description });
    }
    Ok(known)
}

fn remembered(cx: Context<'_>, upc: &Upc) -> Option<KnownProduct> {
    let kept = cache::get(cx, &memory(upc), Freshness::Day)?;
    let description = kept.get("description")?.as_str()?.to_owned();
    Some(KnownProduct { upc: upc.clone(), description })
}

/// The name of a remembered product in the cache. It is no path of Kroger's.
fn memory(upc: &Upc) -> String {
    format!("known product {}", upc.as_str())
}

/// Reads the one product that `number` means, and notes how the number was read.
///
/// A number with one reading, or in Kroger's own form, is read at once. Kroger's list
/// is asked about the others.
///
/// # Errors
/// Those of `read`, and `invalid_argument`, which names `field`, if the number means
/// several products.
pub fn read_one<T>(
    cx: Context<'_>,
    user: &UserId,
    number: &ProductNumber,
    field: &str,
    read: impl Fn(&Upc) -> Result<T, Failure>,
) -> Result<(T, Option<String>), Failure> {
    let first = number.first();
    let read_first = || Ok((read(&first.upc)?, number.note(first)));
    if number.readings().len() == 1 {
        return read_first();
    }
    let mut failed = None;
    if first.form == Form::Kroger {
        match read_first() {
            Err(failure) if failure.code == Code::NotFound => failed = Some(failure),
            answer => return answer,
        }
    }
    let upcs: Vec<Upc> = number.readings().iter().map(|reading| reading.upc.clone()).collect();
    let known = match (known(cx, user, &upcs, Purpose::Browse), &failed) {
        (Ok(known), _) => known,
        // The first reading names no product, and nothing tells about the others.
        (Err(_), Some(_)) => Vec::new(),
        (Err(failure), None) => return Err(failure),
    };
    match number.choose(&known) {
        Choice::One(reading) if failed.is_none() || reading != first => Ok((read(&reading.upc)?, number.note(reading))),
        Choice::One(_) | Choice::NoneKnown(_) => Err(failed.unwrap_or_else(|| no_such_product(&first.upc))),
        Choice::SeveralKnown(question) => Err(which_one(field, &question)),
    }
}

/// Only a person can say which product is meant.
pub(crate) fn which_one(field: &str, question: &str) -> Failure {
    Failure { next: NextStep::Correct(Correction::AskWhich), ..Failure::invalid_argument(field, question) }
}
