//! Reads cart items as callers give them, and finds the product that each one means.
//! Notes each correction. Adds nothing.
//!
//! Kroger's cart accepts any 13 digits and answers success, even for a product that
//! Kroger does not have. So each number that is not exactly in Kroger's form is looked
//! up before it is sent.

use crate::Context;
use crate::cart::ledger::{Entry, IdempotencyKey};
use crate::catalog::lookup;
use crate::failure::{Code, Failure, NextStep, Repeat};
use crate::item::product_number::{Choice, Form, KnownProduct, ProductNumber, Reading};
use crate::item::{Item, Modality, Quantity, Upc};
use crate::upstream::quota::Purpose;
use crate::user::UserId;

/// The most items of one request.
const MOST_ITEMS: usize = 100;

/// One item as a caller gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    pub upc: String,
    pub quantity: u32,
    /// None: the default modality.
    pub modality: Option<Modality>,
}

/// The most ways to read the items of a repeated call that the ledger is asked about.
const MOST_WAYS: usize = 16;

/// The items of a call, before Kroger is asked which products they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub(crate) lines: Vec<DraftLine>,
}

/// One item, and the UPCs that its number may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DraftLine {
    /// The name of the number's argument, such as `items[2].upc`.
    field: String,
    pub(crate) number: ProductNumber,
    pub(crate) quantity: Quantity,
    pub(crate) modality: Modality,
}

/// The items of one cart add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub items: Vec<Item>,
    /// A sentence for each corrected input.
    pub notes: Vec<String>,
}

/// Reads the single item of a call. An error names `upc` or `quantity`.
pub fn one(given: &Given, default: Modality) -> Result<Draft, Failure> {
    Ok(Draft { lines: vec![DraftLine::read(given, default, str::to_owned)?] })
}

/// Reads the items of a call. An error names its field, such as `items[2].upc`.
pub fn many(given: &[Given], default: Modality) -> Result<Draft, Failure> {
    check_count(given.len())?;
    let lines = given
        .iter()
        .enumerate()
        .map(|(index, item)| DraftLine::read(item, default, |field| format!("items[{index}].{field}")));
    Ok(Draft { lines: lines.collect::<Result<_, _>>()? })
}

/// Refuses a call with no items, or with more than `MOST_ITEMS`.
pub fn check_count(count: usize) -> Result<(), Failure> {
    if (1..=MOST_ITEMS).contains(&count) {
        return Ok(());
    }
    Err(Failure::invalid_argument("items", &format!("1 to {MOST_ITEMS} items")))
}

impl DraftLine {
    fn read(given: &Given, default: Modality, name: impl Fn(&str) -> String) -> Result<Self, Failure> {
        let field = name("upc");
        let number = ProductNumber::parse(&given.upc).map_err(|no| Failure::invalid_argument(&field, &no.allowed()))?;
        let quantity =
            Quantity::new(given.quantity).map_err(|allowed| Failure::invalid_argument(&name("quantity"), allowed))?;
        Ok(Self { field, number, quantity, modality: given.modality.unwrap_or(default) })
    }

    pub(crate) fn item(&self, upc: &Upc) -> Item {
        Item { upc: upc.clone(), quantity: self.quantity, modality: self.modality }
    }

    /// Whether the first reading stands though Kroger cannot be asked.
    ///
    /// One UPC of Kroger's in ten looks like a barcode, and its caller has no clearer
    /// form. So it is refused only if it can be asked about later.
    fn stands_unasked(&self, is_for_now: bool) -> bool {
        self.number.is_clear() || (self.number.first().form == Form::Kroger && !is_for_now)
    }
}

impl Draft {
    /// The UPCs that the items may mean, each once.
    pub(crate) fn upcs(&self) -> Vec<Upc> {
        each_once(self.lines.iter())
    }

    /// The UPCs of the lines whose own form Kroger does not list. A line whose own form
    /// is listed stands for itself.
    pub(crate) fn undecided(&self, is_listed: impl Fn(&Upc) -> bool) -> Vec<Upc> {
        let is_decided = |line: &DraftLine| {
            line.number.readings().iter().any(|reading| reading.form == Form::Kroger && is_listed(&reading.upc))
        };
        each_once(self.lines.iter().filter(|line| !is_decided(line)))
    }

    /// The order if Kroger need not be asked: each number is exactly in Kroger's form,
    /// or an earlier call with the same `key` ordered these items.
    pub(crate) fn without_asking(&self, cx: Context<'_>, user: &UserId, key: Option<&IdempotencyKey>) -> Option<Order> {
        if self.unsure().is_empty() {
            return Some(self.order(&self.first_readings()));
        }
        key.and_then(|key| self.ordered_before(cx, user, key))
    }

    /// The order whose numbers Kroger knows. Kroger's list of products is asked once
    /// about the numbers that are not exactly in Kroger's form.
    ///
    /// # Errors
    /// `invalid_argument`, with a question to a person, if Kroger knows none or
    /// several of the products that a number may mean.
    pub fn resolve(&self, cx: Context<'_>, user: &UserId) -> Result<Order, Failure> {
        match lookup::known(cx, user, &self.unsure(), Purpose::Cart) {
            Ok(known) => self.of_known(&known),
            Err(failure) => self.unasked(failure),
        }
    }

    /// The UPCs that Kroger is asked about.
    fn unsure(&self) -> Vec<Upc> {
        each_once(self.lines.iter().filter(|line| !line.number.is_exact()))
    }

    fn first_readings(&self) -> Vec<&Reading> {
        self.lines.iter().map(|line| line.number.first()).collect()
    }

    /// The order in which each line has its reading of `readings`.
    fn order(&self, readings: &[&Reading]) -> Order {
        let lines = || self.lines.iter().zip(readings);
        Order {
            items: lines().map(|(line, reading)| line.item(&reading.upc)).collect(),
            notes: lines().filter_map(|(line, reading)| line.number.note(reading)).collect(),
        }
    }

    fn of_known(&self, known: &[KnownProduct]) -> Result<Order, Failure> {
        let mut readings = Vec::with_capacity(self.lines.len());
        let mut questions = Vec::new();
        for line in &self.lines {
            if line.number.is_exact() {
                readings.push(line.number.first());
                continue;
            }
            match line.number.choose(known) {
                Choice::One(reading) => readings.push(reading),
                Choice::NoneKnown(question) | Choice::SeveralKnown(question) => questions.push((line, question)),
            }
        }
        if questions.is_empty() { Ok(self.order(&readings)) } else { Err(which_ones(&questions)) }
    }

    /// Kroger's list cannot be asked. A number that is clear without it is sent, with
    /// a note. If only a wait helps, nothing else is sent.
    fn unasked(&self, failure: Failure) -> Result<Order, Failure> {
        let is_for_now = failure.retry_after.is_some();
        let open: Vec<&DraftLine> = self.lines.iter().filter(|line| !line.stands_unasked(is_for_now)).collect();
        if open.is_empty() {
            let mut order = self.order(&self.first_readings());
            order.notes.extend(self.lines.iter().filter(|line| !line.number.is_exact()).map(|line| {
                let upc = line.number.first().upc.as_str();
                format!("Kroger's catalog could not be asked whether it has {upc}.")
            }));
            return Ok(order);
        }
        if matches!(failure.code, Code::Reauthorize | Code::TokenRejected | Code::StoreUnavailable) {
            return Err(failure);
        }
        let questions: Vec<_> = open.into_iter().map(|line| (line, line.number.not_asked())).collect();
        let question = which_ones(&questions);
        let next = if is_for_now { NextStep::Repeat(Repeat::AfterWait) } else { question.next.clone() };
        Err(Failure { next, retry_after: failure.retry_after, ..question })
    }

    /// The order of an earlier call with `key`, if its items are one way to read these.
    fn ordered_before(&self, cx: Context<'_>, user: &UserId, key: &IdempotencyKey) -> Option<Order> {
        self.ways().into_iter().map(|readings| self.order(&readings)).find(|order| {
            let earlier = Entry::new(cx, user, key, &order.items).and_then(|entry| entry.earlier());
            matches!(earlier, Ok(Some(_)))
        })
    }

    /// Each way to read the items. Only the likeliest if there are too many.
    fn ways(&self) -> Vec<Vec<&Reading>> {
        let count = self.lines.iter().try_fold(1_usize, |count, line| count.checked_mul(line.number.readings().len()));
        if count.is_none_or(|count| count > MOST_WAYS) {
            return vec![self.first_readings()];
        }
        self.lines.iter().fold(vec![Vec::new()], |ways, line| {
            let mut longer = Vec::with_capacity(ways.len() * line.number.readings().len());
            for way in &ways {
                longer.extend(line.number.readings().iter().map(|reading| [way.as_slice(), &[reading]].concat()));
            }
            longer
        })
    }
}

fn each_once<'a>(lines: impl Iterator<Item = &'a DraftLine>) -> Vec<Upc> {
    let mut upcs: Vec<Upc> = Vec::new();
    for reading in lines.flat_map(|line| line.number.readings()) {
        if !upcs.contains(&reading.upc) {
            upcs.push(reading.upc.clone());
        }
    }
    upcs
}

fn which_ones(questions: &[(&DraftLine, String)]) -> Failure {
    if let [(line, question)] = questions {
        return lookup::which_one(&line.field, question);
    }
    let listed = questions.iter().map(|(line, question)| format!("{}: {question}", line.field));
    lookup::which_one("items", &listed.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests;
