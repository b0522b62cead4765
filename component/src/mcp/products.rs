//! The tools that search for products. They show a model a line for each product, with what it needs to choose. They
//! change nothing.

use schemars::JsonSchema;
use serde::Serialize;

use super::call::Call;
use super::stores::{LocationArgument, location_argument};
use super::told::Told;
use super::tool::{Effect, Reply, Tool};
use crate::fields::arguments;
use crate::fields::values::{Flag, List, Text, Whole, choices};
use kroger_core::catalog::location::LocationId;
use kroger_core::catalog::one_product;
use kroger_core::catalog::page_request::Fulfillment;
use kroger_core::catalog::product::{Cents, Product, Stock};
use kroger_core::catalog::search;
use kroger_core::catalog::search::found::{ProductsFound, TermFound};
use kroger_core::catalog::search::query::{ProductOrder, ProductQuery, StockWanted};
use kroger_core::failure::Failure;
use kroger_core::item::product_number::ProductNumber;

/// The products shown for each term. Kroger's default of 10 is more than a small model reads.
const SHOWN: u32 = 5;
/// The most products shown for all terms together.
const MOST_SHOWN: u32 = 60;

choices! {
    /// The way in which the customer gets a product.
    Way { InStore = "in_store", Pickup = "pickup", Delivery = "delivery", Shipping = "shipping" }
}

choices! {
    /// The order of the products.
    Sorting { Relevance = "relevance", Price = "price", UnitPrice = "unit_price" }
}

arguments! {
    /// The arguments of `search_products`.
    SearchInput {
        /// Up to 10 search terms; each is searched by itself: ["2% milk", "eggs"].
        terms: Option<List<Text>>,
        /// Only this brand, spelt exactly as on products: Kroger.
        brand: Option<Text>,
        /// UPCs to look up.
        upcs: Option<List<Text>>,
        /// Store whose prices and stock to show, 8 characters; the preferred store if absent.
        store_id: Option<LocationArgument>,
        /// Only products that are offered in all these ways.
        fulfillment: Option<List<Way>>,
        /// true: leave out products that are out of stock.
        in_stock_only: Option<Flag>,
        /// unit_price compares cost per ounce or piece.
        sort_by: Option<Sorting>,
        /// Products for each term; 5 if absent. At most 60 for all terms.
        limit: Option<Whole<1, 50>>,
        /// Where to continue: next_start of the last answer.
        start: Option<Whole<0, 250>>,
    }
}

/// Searches for products.
pub(super) struct SearchProducts;

impl Tool for SearchProducts {
    const NAME: &'static str = "search_products";
    const TITLE: &'static str = "Search products";
    const DESCRIPTION: &'static str = "Finds Kroger products by words, brand or UPC, with price, sale, stock and aisle at \
        the store. Give the items of a list as terms of one call, up to 10. If several products fit, let the user \
        choose.";
    const EFFECT: Effect = Effect::Looks;
    const ASKS_KROGER: bool = true;
    type Input = SearchInput;
    type Output = Results;

    fn run(call: &Call<'_>, input: SearchInput) -> Result<Reply<Results>, Failure> {
        let (query, notes) = query(call, input)?;
        let mut found = search::search_products(call.cx, call.user, &query)?;
        found.notes.extend(notes);
        let text = text(&query, &found);
        Ok(Reply { value: Results::from(found), text })
    }
}

/// The query, and a note for each correction of the input.
fn query(call: &Call<'_>, input: SearchInput) -> Result<(ProductQuery, Vec<String>), Failure> {
    let (terms, split) = split(texts(input.terms));
    let (limit, cut) = limit(input.limit.map_or(SHOWN, |limit| limit.0), &terms);
    let ways = input.fulfillment.map_or_else(Vec::new, |ways| ways.0);
    let query = ProductQuery {
        terms,
        brand: input.brand.map(|brand| brand.0),
        upcs: texts(input.upcs),
        location: location_argument(call, input.store_id)?,
        fulfillment: ways.into_iter().map(Fulfillment::from).collect(),
        stock: if input.in_stock_only == Some(Flag(true)) { StockWanted::InStock } else { StockWanted::Any },
        order: input.sort_by.map_or(ProductOrder::Relevance, ProductOrder::from),
        limit: Some(limit),
        start: input.start.map_or(0, |start| start.0),
    };
    Ok((query, split.into_iter().chain(cut).collect()))
}

fn texts(list: Option<List<Text>>) -> Vec<String> {
    let texts = list.map_or_else(Vec::new, |list| list.0);
    texts.into_iter().map(|text| text.0).filter(|text| !text.is_empty()).collect()
}

/// Splits one text with commas: it is most often a list, and Kroger finds nothing for it as a whole.
fn split(terms: Vec<String>) -> (Vec<String>, Option<String>) {
    let [only] = terms.as_slice() else { return (terms, None) };
    let parts: Vec<String> =
        only.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect();
    if parts.len() < 2 {
        return (terms, None);
    }
    let note = format!("The text with commas was searched as {} terms; give each as a term of its own.", parts.len());
    (parts, Some(note))
}

/// Limits the products for each term, so that one answer to all of them stays readable.
fn limit(wanted: u32, terms: &[String]) -> (u32, Option<String>) {
    let share = u32::try_from(terms.len()).ok().and_then(|count| MOST_SHOWN.checked_div(count)).unwrap_or(MOST_SHOWN);
    let limit = wanted.min(share.max(1));
    let note = format!("One answer shows {MOST_SHOWN} products at most, so {limit} of each term. `start` shows more.");
    (limit, (limit < wanted).then_some(note))
}

impl From<Way> for Fulfillment {
    fn from(way: Way) -> Self {
        match way {
            Way::InStore => Self::InStore,
            Way::Pickup => Self::Pickup,
            Way::Delivery => Self::Delivery,
            Way::Shipping => Self::Shipping,
        }
    }
}

impl From<Sorting> for ProductOrder {
    fn from(sorting: Sorting) -> Self {
        match sorting {
            Sorting::Relevance => Self::Relevance,
            Sorting::Price => Self::Price,
            Sorting::UnitPrice => Self::UnitPrice,
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Results {
    /// The store of the prices and stock. Absent if none is chosen; then there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<String>,
    /// One result for each term, then one for the UPCs.
    results: Vec<TermResult>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct TermResult {
    searched_for: String,
    products: Vec<ProductLine>,
    /// The number of products that Kroger has.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u32>,
    /// Give it as `start` to see more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_start: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// The reason why there are no products.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A product as a list shows it. Unknown facts are absent.
#[derive(Serialize, JsonSchema)]
pub(super) struct ProductLine {
    pub(super) upc: String,
    pub(super) description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<String>,
    /// In dollars, now.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<f64>,
    /// If it is sold by weight: the unit of the price.
    #[serde(skip_serializing_if = "Option::is_none")]
    price_per: Option<String>,
    /// In dollars for one piece, if it is sold by weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_price: Option<f64>,
    /// In dollars; present if it is on sale.
    #[serde(skip_serializing_if = "Option::is_none")]
    regular_price: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_price: Option<String>,
    /// high, low or out.
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aisle: Option<String>,
    /// The ways in which it is offered here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    offered: Vec<&'static str>,
}

impl From<ProductsFound> for Results {
    fn from(found: ProductsFound) -> Self {
        Self {
            store_id: found.location.map(|location| location.as_str().to_owned()),
            results: found.found.into_iter().map(TermResult::from).collect(),
            notes: found.notes,
        }
    }
}

impl From<TermFound> for TermResult {
    fn from(found: TermFound) -> Self {
        Self {
            searched_for: found.searched_for,
            products: found.products.iter().map(ProductLine::from).collect(),
            total: found.total,
            next_start: found.next_start,
            notes: found.notes,
            error: found.failure.map(|failure| Told::from(&failure).detail),
        }
    }
}

impl From<&Product> for ProductLine {
    fn from(product: &Product) -> Self {
        let price = product.price;
        let on_sale = price.filter(|price| price.promo.is_some());
        Self {
            upc: product.upc.as_str().to_owned(),
            description: product.description.clone(),
            size: product.size.clone(),
            price: price.map(|price| price.current().dollars()),
            price_per: price.and(product.price_per()).map(str::to_owned),
            estimated_price: price.and_then(|price| price.estimate).map(Cents::dollars),
            regular_price: on_sale.map(|price| price.regular.dollars()),
            unit_price: product.unit_price.map(|price| price.to_string()),
            stock: (product.stock != Stock::Unknown).then(|| product.stock.as_str()),
            aisle: product.aisle.clone(),
            offered: offered(product),
        }
    }
}

fn offered(product: &Product) -> Vec<&'static str> {
    let offered = product.offered;
    let ways = [
        (offered.in_store, "in_store"),
        (offered.pickup, "pickup"),
        (offered.delivery, "delivery"),
        (offered.shipping, "shipping"),
    ];
    ways.into_iter().filter(|(is_offered, _)| *is_offered == Some(true)).map(|(_, way)| way).collect()
}

/// `0001111041700 Kroger 2% Milk, 1 gal: $1.59 (regular $1.99), stock high, Aisle 35, by in_store/pickup`
pub(super) fn line(product: &Product) -> String {
    let size = product.size.as_ref().map(|size| format!(", {size}")).unwrap_or_default();
    let mut facts = Vec::new();
    facts.extend(price_text(product));
    facts.extend(product.unit_price.map(|price| price.to_string()));
    if product.stock != Stock::Unknown {
        facts.push(format!("stock {}", product.stock.as_str()));
    }
    facts.extend(product.aisle.clone());
    let offered = offered(product);
    if !offered.is_empty() {
        facts.push(format!("by {}", offered.join("/")));
    }
    let facts = if facts.is_empty() { String::new() } else { format!(": {}", facts.join(", ")) };
    format!("{} {}{size}{facts}", product.upc.as_str(), product.description)
}

/// `$0.49 per lb (regular $0.59) (about $0.24 each)`
fn price_text(product: &Product) -> Option<String> {
    let price = product.price?;
    let per = product.price_per().map(|per| format!(" per {per}")).unwrap_or_default();
    let regular = price.promo.map(|_| format!(" (regular {})", price.regular)).unwrap_or_default();
    let each = price.estimate.map(|estimate| format!(" (about {estimate} each)")).unwrap_or_default();
    Some(format!("{}{per}{regular}{each}", price.current()))
}

fn text(query: &ProductQuery, found: &ProductsFound) -> String {
    let mut lines: Vec<String> = found.location.iter().map(at_location).collect();
    for one in &found.found {
        let total = one.total.map(|total| format!(" of {total}")).unwrap_or_default();
        let more = one.next_start.map(|start| format!(", more with start {start}")).unwrap_or_default();
        lines.push(format!("{}: {}{total}{more}", one.searched_for, one.products.len()));
        lines.extend(one.products.iter().map(|product| format!("- {}", line(product))));
        lines.extend(one.notes.iter().cloned());
        lines.extend(one.failure.iter().map(|failure| format!("Not searched: {}", Told::from(failure).detail)));
    }
    lines.extend(found.notes.iter().cloned());
    lines.push(next_step(query, found).to_owned());
    lines.join("\n")
}

pub(super) fn at_location(store: &LocationId) -> String {
    format!("At the store {}.", store.as_str())
}

fn next_step(query: &ProductQuery, found: &ProductsFound) -> &'static str {
    if found.found.iter().any(|one| !one.products.is_empty()) {
        "Next: if several fit, let the user choose; then call check_cart_items or add_to_cart with the UPCs."
    } else if query.brand.is_some() {
        "Next: search again with the brand as it is spelt, or without it."
    } else {
        "Next: try fewer or other words."
    }
}

arguments! {
    /// The arguments of `get_product`.
    ProductInput {
        /// UPC, 13 digits. Barcodes and PLUs are looked up.
        upc: Text,
        /// Store whose price and stock to show; the preferred store if absent.
        store_id: Option<LocationArgument>,
    }
}

/// All facts about one product.
#[derive(Serialize, JsonSchema)]
pub(super) struct ProductDetails {
    #[serde(flatten)]
    line: ProductLine,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    brand: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    categories: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country_of_origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_restricted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snap_eligible: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    least_quantity: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    most_quantity: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// Shows one product.
pub(super) struct GetProduct;

impl Tool for GetProduct {
    const NAME: &'static str = "get_product";
    const TITLE: &'static str = "Product details";
    const DESCRIPTION: &'static str = "Shows all facts about one product by its UPC: price, sale, stock, aisle, order \
        limits, image.";
    const EFFECT: Effect = Effect::Looks;
    const ASKS_KROGER: bool = true;
    type Input = ProductInput;
    type Output = ProductDetails;

    fn run(call: &Call<'_>, input: ProductInput) -> Result<Reply<ProductDetails>, Failure> {
        let store = location_argument(call, input.store_id)?;
        let number = ProductNumber::parse(&input.upc.0);
        let number = number.map_err(|no| Failure::invalid_argument("upc", &no.allowed()))?;
        let found = one_product::product(call.cx, call.user, &number, store.as_ref())?;
        let text = details_text(&found.product, found.location.as_ref(), found.note.as_deref());
        let store_id = found.location.map(|store| store.as_str().to_owned());
        Ok(Reply { value: details(&found.product, store_id, found.note), text })
    }
}

fn details_text(product: &Product, store: Option<&LocationId>, note: Option<&str>) -> String {
    let mut lines: Vec<String> = note.map(str::to_owned).into_iter().chain(store.map(at_location)).collect();
    lines.push(line(product));
    lines.extend(product.most_quantity.map(|most| format!("{most} at most in one order.")));
    lines.extend(product.least_quantity.map(|least| format!("{least} at least in one order.")));
    if product.age_restricted == Some(true) {
        lines.push("Sold only to people of the required age.".to_owned());
    }
    lines.push(after_looking(product).to_owned());
    lines.join("\n")
}

fn after_looking(product: &Product) -> &'static str {
    let is_limited = product.most_quantity.is_some() || product.least_quantity.is_some();
    let is_brought = product.offered.pickup == Some(true) && product.offered.delivery != Some(false);
    if product.is_in_stock() && is_brought && !is_limited {
        "Next: add_to_cart adds it."
    } else {
        "Next: check_cart_items says whether it can be added."
    }
}

pub(super) fn details(product: &Product, store_id: Option<String>, note: Option<String>) -> ProductDetails {
    ProductDetails {
        line: product.into(),
        store_id,
        brand: product.brand.clone(),
        categories: product.categories.clone(),
        temperature: product.temperature.clone(),
        country_of_origin: product.country_of_origin.clone(),
        image_url: product.image_url.clone(),
        age_restricted: product.age_restricted,
        snap_eligible: product.snap_eligible,
        least_quantity: product.least_quantity,
        most_quantity: product.most_quantity,
        notes: note.into_iter().collect(),
    }
}
