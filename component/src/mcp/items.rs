//! Reads the items of a cart as a model names them. If an item is not a UPC, it lists products that may be meant, and
//! never chooses one.

use super::call::Call;
use super::products;
use crate::fields::arguments;
use crate::fields::values::{List, Text, Whole, choices};
use kroger_core::cart::order::{self, Draft, Given};
use kroger_core::catalog::search;
use kroger_core::catalog::search::query::ProductQuery;
use kroger_core::failure::{Correction, Failure, NextStep};
use kroger_core::item::Modality;
use kroger_core::item::product_number::{NotANumber, ProductNumber};

/// The most products listed for words in place of a UPC. More would not help to choose.
const CANDIDATES: u32 = 5;
/// The most searches for words in place of UPCs. Each is a call to Kroger.
const MOST_SEARCHES: usize = 3;

choices! {
    /// The way in which the customer gets an item.
    Way { Pickup = "PICKUP", Delivery = "DELIVERY" }
}

arguments! {
    /// One item to add.
    ItemInput {
        /// UPC, 13 digits, as search results give it. Barcodes and PLUs are looked up.
        upc: Text,
        /// The quantity; 1 if absent.
        quantity: Option<Whole<1, 999>>,
        /// The configured modality if absent.
        modality: Option<Way>,
    }
}

impl From<Way> for Modality {
    fn from(way: Way) -> Self {
        match way {
            Way::Pickup => Self::Pickup,
            Way::Delivery => Self::Delivery,
        }
    }
}

/// Reads the items of a call. Answers words in place of UPCs with products that may be meant.
pub(super) fn draft(call: &Call<'_>, items: List<ItemInput>) -> Result<Draft, Failure> {
    order::check_count(items.0.len())?;
    let words: Vec<(usize, &str)> = (0..)
        .zip(items.0.iter().map(|item| item.upc.0.as_str()))
        .filter(|(_, text)| text.chars().any(char::is_alphabetic))
        .filter(|(_, text)| ProductNumber::parse(text) == Err(NotANumber::Other))
        .collect();
    if !words.is_empty() {
        return Err(not_upcs(call, &words));
    }
    let given = items.0.into_iter().map(|item| Given {
        upc: item.upc.0,
        quantity: item.quantity.map_or(1, |quantity| quantity.0),
        modality: item.modality.map(Modality::from),
    });
    order::many(&given.collect::<Vec<_>>(), call.cx.settings.default_modality)
}

fn not_upcs(call: &Call<'_>, words: &[(usize, &str)]) -> Failure {
    let (searched, others) = words.split_at(words.len().min(MOST_SEARCHES));
    let mut told: Vec<String> = searched.iter().map(|(index, words)| candidates(call, *index, words)).collect();
    if !others.is_empty() {
        let places: Vec<String> = others.iter().map(|(index, _)| format!("`items[{index}].upc`")).collect();
        told.push(format!("{} are no UPCs either; search_products finds products by words.", places.join(", ")));
    }
    which_one(&told.join("\n"))
}

fn candidates(call: &Call<'_>, index: usize, words: &str) -> String {
    let query = ProductQuery { terms: vec![words.to_owned()], limit: Some(CANDIDATES), ..ProductQuery::default() };
    let found = search::search_products(call.cx, call.user, &query).map(|found| found.found).unwrap_or_default();
    let products = found.iter().flat_map(|found| &found.products);
    let listed: Vec<String> = products.map(|product| format!("\n- {}", products::line(product))).collect();
    let what = if listed.is_empty() { ", and no product is found for it." } else { ". Products that may be meant:" };
    format!("`items[{index}].upc` is no UPC{what}{}", listed.concat())
}

/// Only the person can say which product is meant.
fn which_one(question: &str) -> Failure {
    Failure { next: NextStep::Correct(Correction::AskWhich), ..Failure::invalid_argument("items", question) }
}
