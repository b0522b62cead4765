//! Previews a cart add: which items Kroger knows, sells at the location and has in
//! stock, and what they cost. Adds nothing, and never guesses what Kroger does not
//! say.

use crate::Context;
use crate::cart::order::{Draft, DraftLine};
use crate::catalog::location::LocationId;
use crate::catalog::lookup::Lookup;
use crate::catalog::product::{Cents, Product, SoldBy, Stock};
use crate::catalog::{locations, preferred_location};
use crate::failure::Failure;
use crate::item::product_number::{Choice, KnownProduct};
use crate::item::{Item, Modality, Upc};
use crate::upstream::quota::Purpose;
use crate::user::UserId;

/// The preview of a cart add.
#[derive(Clone, Debug, PartialEq)]
pub struct CartCheck {
    /// The location of the prices and the stock. None: no location is chosen, so
    /// there are neither.
    pub location: Option<LocationId>,
    /// One line for each item, in the order of the items.
    pub lines: Vec<Line>,
    /// The sum of the lines that are ready and have a price.
    pub estimated_total: Cents,
    /// How many lines the total leaves out.
    pub not_in_total: usize,
    /// A sentence for each corrected input.
    pub notes: Vec<String>,
}

/// The preview of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub item: Item,
    /// None: Kroger does not know the product.
    pub product: Option<Product>,
    /// The expected price now, of the whole quantity. None: unknown.
    pub estimate: Option<Cents>,
    /// Empty: nothing speaks against the item.
    pub concerns: Vec<Concern>,
}

/// A reason against an item, or a fact that the user should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concern {
    /// Kroger knows no such product, or several that the number may mean. The
    /// question to a person.
    UnknownUpc(String),
    /// No location is chosen, so offer and stock are unknown.
    NoLocation,
    /// The location does not sell it.
    NotSold,
    OutOfStock,
    /// The location sells it, but not for this modality.
    NotOffered(Modality),
    /// The quantity is above the limit of one order.
    TooMany {
        most: u32,
    },
    /// The quantity is below the limit of one order.
    TooFew {
        least: u32,
    },
    LowStock,
    StockUnknown,
    PriceUnknown,
    /// It is sold by weight, so the price is an estimate.
    SoldByWeight,
    /// The person who receives it must show their age.
    AgeRestricted,
    /// Kroger does not say whether the location offers it for this modality.
    OfferUnknown(Modality),
}

impl CartCheck {
    /// True if nothing stands in the way of any item.
    pub fn is_ready(&self) -> bool {
        self.lines.iter().all(Line::is_ready)
    }
}

impl Line {
    /// True if nothing stands in the way of the item.
    pub fn is_ready(&self) -> bool {
        !self.concerns.iter().any(Concern::stands_in_the_way)
    }
}

impl Concern {
    /// True if adding the item makes no sense. Otherwise the concern only informs.
    pub fn stands_in_the_way(&self) -> bool {
        match self {
            Self::UnknownUpc(_)
            | Self::NoLocation
            | Self::NotSold
            | Self::OutOfStock
            | Self::NotOffered(_)
            | Self::TooMany { .. }
            | Self::TooFew { .. } => true,
            Self::LowStock
            | Self::StockUnknown
            | Self::PriceUnknown
            | Self::SoldByWeight
            | Self::AgeRestricted
            | Self::OfferUnknown(_) => false,
        }
    }

    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownUpc(_) => "unknown_upc",
            Self::NoLocation => "no_store",
            Self::NotSold => "not_sold_here",
            Self::OutOfStock => "out_of_stock",
            Self::NotOffered(_) => "modality_not_offered",
            Self::TooMany { .. } => "too_many",
            Self::TooFew { .. } => "too_few",
            Self::LowStock => "low_stock",
            Self::StockUnknown => "stock_unknown",
            Self::PriceUnknown => "price_unknown",
            Self::SoldByWeight => "sold_by_weight",
            Self::AgeRestricted => "age_restricted",
            Self::OfferUnknown(_) => "modality_unknown",
        }
    }

    /// One sentence, without the name of the product.
    pub fn sentence(&self) -> String {
        match self {
            Self::UnknownUpc(question) => format!("{question}."),
            Self::NoLocation => "No location is chosen, so price, stock and modality are unchecked.".to_owned(),
            Self::NotSold => "This location does not sell it.".to_owned(),
            Self::OutOfStock => "It is temporarily out of stock at this location.".to_owned(),
            Self::NotOffered(modality) => format!("This location does not offer it for {}.", modality.as_str()),
            Self::TooMany { most } => format!("One order may have {most} at most."),
            Self::TooFew { least } => format!("One order must have {least} at least."),
            Self::LowStock => "Few are left at this location.".to_owned(),
            Self::StockUnknown => "Kroger does not say whether this location has it in stock.".to_owned(),
            Self::PriceUnknown => "Kroger tells no price, so it is not in the total.".to_owned(),
            Self::SoldByWeight => "It is sold by weight, so its price is an estimate.".to_owned(),
            Self::AgeRestricted => "Whoever receives it must show that they are old enough.".to_owned(),
            Self::OfferUnknown(modality) => {
                format!("Kroger does not say whether this location offers it for {}.", modality.as_str())
            }
        }
    }
}

/// Checks the items at the location that is named, else preferred, else configured.
///
/// A check may use the quota that is reserved for adding to the cart.
///
/// # Errors
/// `not_found` if there is no such location, among others.
pub fn check_cart_items(
    cx: Context<'_>,
    user: &UserId,
    draft: &Draft,
    location: Option<&LocationId>,
) -> Result<CartCheck, Failure> {
    let location = preferred_location::or_named(cx, user, location)?;
    let known = known(cx, user, draft, location.as_ref())?;
    if !known.is_empty() && !known.iter().any(Product::knows_location) {
        locations::confirm(cx, user, location.as_ref())?;
    }
    let names: Vec<KnownProduct> = known.iter().map(KnownProduct::from).collect();
    let find = |upc: &Upc| known.iter().find(|product| product.upc == *upc);
    let chosen: Vec<(&DraftLine, Choice<'_>)> =
        draft.lines.iter().map(|line| (line, line.number.choose(&names))).collect();
    let ordered = |upc: &Upc| -> u32 {
        let same = chosen.iter().filter(|(_, choice)| matches!(choice, Choice::One(reading) if reading.upc == *upc));
        same.map(|(line, _)| line.quantity.get()).sum()
    };
    let line = |(draft, choice): &(&DraftLine, Choice<'_>)| match choice {
        Choice::One(reading) => {
            let item = draft.item(&reading.upc);
            match find(&reading.upc) {
                Some(product) => line(&item, product, ordered(&item.upc), location.is_some()),
                None => unknown(item, draft.number.not_asked()),
            }
        }
        Choice::NoneKnown(question) | Choice::SeveralKnown(question) => {
            unknown(draft.item(&draft.number.first().upc), question.clone())
        }
    };
    let lines: Vec<Line> = chosen.iter().map(line).collect();
    let note = |(draft, choice): &(&DraftLine, Choice<'_>)| match choice {
        Choice::One(reading) => draft.number.note(reading),
        Choice::NoneKnown(_) | Choice::SeveralKnown(_) => None,
    };
    let notes = chosen.iter().filter_map(note).collect();
    let in_total: Vec<Cents> = lines.iter().filter(|line| line.is_ready()).filter_map(|line| line.estimate).collect();
    let not_in_total = lines.len() - in_total.len();
    Ok(CartCheck { location, estimated_total: in_total.into_iter().sum(), not_in_total, lines, notes })
}

/// The products of the items that Kroger knows. A UPC that is not listed at the
/// location is asked for without it, to tell "not sold here" from "no such product".
fn known(
    cx: Context<'_>,
    user: &UserId,
    draft: &Draft,
    location: Option<&LocationId>,
) -> Result<Vec<Product>, Failure> {
    let upcs = draft.upcs();
    let at_store = Lookup { location, purpose: Purpose::Cart, most_alone: upcs.len() };
    let mut known = at_store.products(cx, user, &upcs)?;
    let is_listed = |upc: &Upc| known.iter().any(|product| product.upc == *upc);
    let missing: Vec<Upc> = draft.undecided(is_listed).into_iter().filter(|upc| !is_listed(upc)).collect();
    if location.is_some() && !missing.is_empty() {
        known.extend(Lookup { location: None, ..at_store }.products(cx, user, &missing)?);
    }
    Ok(known)
}

fn unknown(item: Item, question: String) -> Line {
    Line { item, product: None, estimate: None, concerns: vec![Concern::UnknownUpc(question)] }
}

/// Previews one item. `ordered` is the quantity of the product in all lines
/// together.
fn line(item: &Item, product: &Product, ordered: u32, has_location: bool) -> Line {
    let estimate = product.price.map(|price| price.estimate.unwrap_or(price.current()).times(item.quantity.get()));
    let mut concerns = limits(product, ordered);
    if has_location {
        concerns.extend(at_store(product, item.modality));
    } else {
        concerns.push(Concern::NoLocation);
    }
    if product.age_restricted == Some(true) {
        concerns.push(Concern::AgeRestricted);
    }
    Line { item: item.clone(), product: Some(product.clone()), estimate, concerns }
}

fn limits(product: &Product, ordered: u32) -> Vec<Concern> {
    let too_many = product.most_quantity.filter(|most| ordered > *most).map(|most| Concern::TooMany { most });
    let too_few = product.least_quantity.filter(|least| ordered < *least).map(|least| Concern::TooFew { least });
    too_many.into_iter().chain(too_few).collect()
}

fn at_store(product: &Product, modality: Modality) -> Vec<Concern> {
    if !product.knows_location() || !product.is_sold() {
        return vec![Concern::NotSold];
    }
    let offer = match product.offered.by(modality) {
        Some(true) => None,
        Some(false) => Some(Concern::NotOffered(modality)),
        None => Some(Concern::OfferUnknown(modality)),
    };
    let stock = match product.stock {
        Stock::High => None,
        Stock::Low => Some(Concern::LowStock),
        Stock::Out => Some(Concern::OutOfStock),
        Stock::Unknown => Some(Concern::StockUnknown),
    };
    let price = match (product.price, product.sold_by) {
        (None, _) => Some(Concern::PriceUnknown),
        (Some(_), SoldBy::Weight) => Some(Concern::SoldByWeight),
        (Some(_), SoldBy::Unit | SoldBy::Unknown) => None,
    };
    [offer, stock, price].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
