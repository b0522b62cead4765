//! The tools of the cart: check items, and add them. None can read, change or empty a cart: Kroger offers no way.

use schemars::JsonSchema;
use serde::Serialize;

use super::call::Call;
use super::items::{self, ItemInput};
use super::products::at_location;
use super::stores::{LocationArgument, location_argument};
use super::tool::{Effect, Reply, Tool};
use crate::fields::arguments;
use crate::fields::values::{Flag, List, Text};
use kroger_core::cart;
use kroger_core::cart::check::{self, CartCheck, Concern, Line};
use kroger_core::cart::ledger::IdempotencyKey;
use kroger_core::cart::order::Order;
use kroger_core::catalog::product::Cents;
use kroger_core::failure::Failure;
use kroger_core::item::Item;

arguments! {
    /// The arguments of `add_to_cart`.
    AddInput {
        /// 1 to 100 items to add.
        items: List<ItemInput>,
        /// true: only check the input and show the items; add nothing.
        dry_run: Option<Flag>,
        /// A new text of your own for each add, such as a UUID. If you repeat the call after an error, use the same
        /// text: then nothing is added twice.
        idempotency_key: Option<Text>,
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Added {
    /// False for a dry run.
    added: bool,
    /// An earlier call with this key added them; this one added nothing.
    #[serde(skip_serializing_if = "is_false")]
    replayed: bool,
    items: Vec<AddedItem>,
    /// The corrections of the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What a call of `add_to_cart` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AddResult {
    Added,
    AddedBefore,
    Shown,
}

#[derive(Serialize, JsonSchema)]
struct AddedItem {
    upc: String,
    quantity: u32,
    modality: &'static str,
}

/// Adds to the cart, or shows what would be added.
pub(super) struct AddToCart;

impl Tool for AddToCart {
    const NAME: &'static str = "add_to_cart";
    const TITLE: &'static str = "Add to cart";
    const DESCRIPTION: &'static str = "Adds items to the user's Kroger cart, all or none. Additive: the same call twice \
        adds twice, unless both have one idempotency_key. There is no tool to read, change or empty the cart.";
    const EFFECT: Effect = Effect::Adds;
    const ASKS_KROGER: bool = true;
    type Input = AddInput;
    type Output = Added;

    fn run(call: &Call<'_>, input: AddInput) -> Result<Reply<Added>, Failure> {
        let draft = items::draft(call, input.items)?;
        let key = input.idempotency_key.map(|text| IdempotencyKey::parse(&text.0)).transpose();
        let key = key.map_err(|allowed| Failure::invalid_argument("idempotency_key", allowed))?;
        let (order, result) = if input.dry_run == Some(Flag(true)) {
            (draft.resolve(call.cx, call.user)?, AddResult::Shown)
        } else {
            let (order, added) = cart::add_draft(call.cx, call.user, &draft, key.as_ref())?;
            match added {
                cart::Added::Now(_) => (order, AddResult::Added),
                cart::Added::Before => (order, AddResult::AddedBefore),
            }
        };
        let text = text(&order, result);
        let items = order.items.iter().map(AddedItem::from).collect();
        let value = Added {
            added: result != AddResult::Shown,
            replayed: result == AddResult::AddedBefore,
            items,
            notes: order.notes,
        };
        Ok(Reply { value, text })
    }
}

impl From<&Item> for AddedItem {
    fn from(item: &Item) -> Self {
        Self { upc: item.upc.as_str().to_owned(), quantity: item.quantity.get(), modality: item.modality.as_str() }
    }
}

fn text(order: &Order, result: AddResult) -> String {
    let each = order
        .items
        .iter()
        .map(|item| format!("{} x {} ({})", item.quantity.get(), item.upc.as_str(), item.modality.as_str()));
    let listed = each.collect::<Vec<_>>().join(", ");
    let said = match result {
        AddResult::Added => format!(
            "Added to the cart: {listed}.\nNext: tell the user; checkout is in the Kroger app or at kroger.com."
        ),
        AddResult::AddedBefore => {
            format!("Added by an earlier call with this key, once: {listed}.\nNext: tell the user.")
        }
        AddResult::Shown => {
            format!("Nothing was added. A call without dry_run would add: {listed}.\nNext: add when the user agrees.")
        }
    };
    if order.notes.is_empty() { said } else { format!("Corrected: {}\n{said}", order.notes.join(" ")) }
}

arguments! {
    /// The arguments of `check_cart_items`.
    CheckInput {
        /// 1 to 100 items to check.
        items: List<ItemInput>,
        /// Store to check at, 8 characters; the preferred store if absent.
        store_id: Option<LocationArgument>,
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Checked {
    /// Whether all items can be added.
    ready: bool,
    items: Vec<CheckedItem>,
    /// In dollars, for the items that are ready and have a price. Absent if no store is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_total: Option<f64>,
    /// The number of items that are not in the total.
    #[serde(skip_serializing_if = "is_none_of_them")]
    not_in_total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_none_of_them(number: &usize) -> bool {
    *number == 0
}

#[derive(Serialize, JsonSchema)]
struct CheckedItem {
    upc: String,
    quantity: u32,
    modality: &'static str,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// In dollars, for the whole quantity.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimate: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
}

#[derive(Serialize, JsonSchema)]
struct Warning {
    code: &'static str,
    detail: String,
}

/// Checks items without adding them.
pub(super) struct CheckCartItems;

impl Tool for CheckCartItems {
    const NAME: &'static str = "check_cart_items";
    const TITLE: &'static str = "Check items before adding";
    const DESCRIPTION: &'static str = "Checks items before add_to_cart, adding nothing: whether each UPC exists, the store \
        sells it, has it in stock and offers the modality, order limits, price, and the estimated total.";
    const EFFECT: Effect = Effect::Looks;
    const ASKS_KROGER: bool = true;
    type Input = CheckInput;
    type Output = Checked;

    fn run(call: &Call<'_>, input: CheckInput) -> Result<Reply<Checked>, Failure> {
        let store = location_argument(call, input.store_id)?;
        let draft = items::draft(call, input.items)?;
        let check = check::check_cart_items(call.cx, call.user, &draft, store.as_ref())?;
        let text = check_text(&check);
        let value = Checked {
            ready: check.is_ready(),
            items: check.lines.iter().map(CheckedItem::from).collect(),
            estimated_total: check.location.is_some().then(|| check.estimated_total.dollars()),
            not_in_total: check.not_in_total,
            store_id: check.location.map(|location| location.as_str().to_owned()),
            notes: check.notes,
        };
        Ok(Reply { value, text })
    }
}

impl From<&Line> for CheckedItem {
    fn from(line: &Line) -> Self {
        let warnings = line.concerns.iter().map(|concern| Warning { code: concern.code(), detail: concern.sentence() });
        Self {
            upc: line.item.upc.as_str().to_owned(),
            quantity: line.item.quantity.get(),
            modality: line.item.modality.as_str(),
            ready: line.is_ready(),
            description: line.product.as_ref().map(|product| product.description.clone()),
            estimate: line.estimate.map(Cents::dollars),
            warnings: warnings.collect(),
        }
    }
}

fn check_text(check: &CartCheck) -> String {
    let mut lines = check.notes.clone();
    lines.extend(check.location.iter().map(at_location));
    lines.extend(check.lines.iter().map(line_text));
    lines.push(sum(check));
    lines.push(next_step(check).to_owned());
    lines.join("\n")
}

/// `- 2 x 0001111041700 Kroger 2% Milk, PICKUP, $3.18`, and the concerns about it. Leaves out that no store is
/// chosen: the text says so once, for all items.
fn line_text(line: &Line) -> String {
    let Item { upc, quantity, modality } = &line.item;
    let name = line.product.as_ref().map_or("unknown product", |product| &product.description);
    let estimate = line.estimate.map(|cents| format!(", {cents}")).unwrap_or_default();
    let concerns = line.concerns.iter().filter(|concern| **concern != Concern::NoLocation);
    let concerns: Vec<String> = concerns.map(|concern| format!("\n  {}", concern.sentence())).collect();
    let (quantity, upc, modality) = (quantity.get(), upc.as_str(), modality.as_str());
    format!("- {quantity} x {upc} {name}, {modality}{estimate}{}", concerns.concat())
}

fn sum(check: &CartCheck) -> String {
    if check.location.is_none() {
        return Concern::NoLocation.sentence();
    }
    let others =
        if check.not_in_total == 0 { String::new() } else { format!(", without {} items", check.not_in_total) };
    format!("Estimated total of the ready items: {}{others}.", check.estimated_total)
}

fn next_step(check: &CartCheck) -> &'static str {
    if check.location.is_none() {
        "Next: find_stores and set_preferred_store, then check again."
    } else if check.is_ready() {
        "Next: tell the user the total, then add_to_cart with the same items."
    } else {
        "Next: with the user, replace or drop the items that are not ready, then check again."
    }
}
