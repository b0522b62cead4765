//! Reads a product's number as people, scanners, labels and spreadsheets give it.
//! Asks Kroger nothing: it lists the UPCs that the number may mean.
//!
//! Kroger's UPC has no check digit, and one number in ten looks by chance as if it had
//! one. So a number may have several readings; [`crate::catalog::lookup`] finds the
//! one that Kroger knows. `docs/product-numbers.md` lists the forms, and a test holds
//! it to this file.

mod digits;
mod text;

use crate::item::Upc;
use digits::{check_digit, has_check_digit, upc_e};
pub use text::NotANumber;
use text::{Number, refused};

/// A product's number, and the UPCs that it may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductNumber {
    /// As the caller wrote it, shortened.
    given: String,
    /// At least one, the likeliest first.
    readings: Vec<Reading>,
    certainty: Certainty,
}

/// One UPC that a number may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub upc: Upc,
    pub form: Form,
}

/// The form in which a number is a UPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Kroger's own: 13 digits without a check digit.
    Kroger,
    /// Kroger's own without leading zeros.
    Short,
    /// UPC-A, EAN-13, EAN-8 or GTIN-14, with its check digit.
    Barcode,
    /// UPC-E, which leaves out zeros.
    UpcE,
    /// The code of fresh produce.
    Plu,
    /// The label of a scale, with a weight or a price in it.
    ScaleLabel,
    /// A number that a company uses only in its own stores.
    StoresOwn,
}

/// How sure the first reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certainty {
    /// The number has exactly Kroger's form. Nobody needs to be asked.
    Exact,
    /// The first reading stands, unless Kroger says otherwise.
    Clear,
    /// Only Kroger can tell.
    Open,
}

/// A product that Kroger knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownProduct {
    pub upc: Upc,
    pub description: String,
}

/// The outcome of a choice among the readings of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice<'a> {
    /// Kroger knows this reading alone.
    One(&'a Reading),
    /// Kroger knows none. The question to the caller.
    NoneKnown(String),
    /// Kroger knows several. The question to the caller.
    SeveralKnown(String),
}

impl ProductNumber {
    /// Reads a number.
    ///
    /// # Errors
    /// The text is not the number of one product.
    pub fn parse(text: &str) -> Result<Self, NotANumber> {
        let (readings, certainty) = match text::number(text)? {
            Number::Digits(digits) => of_digits(&digits)?,
            Number::Barcode(gtin) => of_barcode(&gtin)?,
            Number::Kroger(digits) => one(Upc(digits), Form::Kroger, Certainty::Exact),
        };
        Ok(Self { given: text::shown(text), readings, certainty })
    }

    /// The readings, the likeliest first.
    pub fn readings(&self) -> &[Reading] {
        &self.readings
    }

    /// The likeliest UPC.
    pub fn first(&self) -> &Reading {
        &self.readings[0]
    }

    /// True if Kroger need not be asked.
    pub fn is_exact(&self) -> bool {
        self.certainty == Certainty::Exact
    }

    /// True if the first reading stands even if Kroger cannot be asked.
    pub fn is_clear(&self) -> bool {
        self.certainty != Certainty::Open
    }

    /// The reading that Kroger knows.
    ///
    /// A number in Kroger's own form that Kroger knows stands for itself: its caller
    /// has no clearer way to name that product.
    pub fn choose(&self, known: &[KnownProduct]) -> Choice<'_> {
        let find = |reading: &Reading| known.iter().find(|product| product.upc == reading.upc);
        let found: Vec<(&Reading, &KnownProduct)> =
            self.readings.iter().filter_map(|reading| Some((reading, find(reading)?))).collect();
        match &found[..] {
            [] => Choice::NoneKnown(self.none_known()),
            [(one, _)] => Choice::One(one),
            _ => found
                .iter()
                .find(|(reading, _)| reading.form == Form::Kroger)
                .map_or_else(|| Choice::SeveralKnown(self.several_known(&found)), |(reading, _)| Choice::One(reading)),
        }
    }

    fn none_known(&self) -> String {
        if self.is_exact() {
            return format!("Kroger knows no product with the UPC {}", self.first().upc.as_str());
        }
        let read = self.readings.iter().map(|reading| format!("{} ({})", reading.upc.as_str(), reading.form.words()));
        let read: Vec<String> = read.collect();
        let question = format!("Kroger knows no product for {}, which was read as {}", self.given, read.join(" or "));
        let looks_mistyped = self.readings.len() == 1
            && matches!(self.first().form, Form::Kroger | Form::Short)
            && !self.first().upc.0.starts_with("000");
        if looks_mistyped {
            format!("{question}; if it is a barcode, a digit is wrong, as the last is not its check digit")
        } else {
            question
        }
    }

    fn several_known(&self, found: &[(&Reading, &KnownProduct)]) -> String {
        let meant = |(reading, product): &(&Reading, &KnownProduct)| {
            format!("{} {} ({})", reading.upc.as_str(), product.description, reading.form.words())
        };
        let meant: Vec<String> = found.iter().map(meant).collect();
        format!("{} may mean {}", self.given, meant.join(" or "))
    }

    /// The question to the caller if Kroger cannot be asked.
    pub fn not_asked(&self) -> String {
        let read = self.readings.iter().map(|reading| format!("{} ({})", reading.upc.as_str(), reading.form.words()));
        let read: Vec<String> = read.collect();
        format!("{} may mean {}, and Kroger's catalog cannot be asked now", self.given, read.join(" or "))
    }

    /// A sentence on how the number was read. None: it was given so.
    pub fn note(&self, reading: &Reading) -> Option<String> {
        let (given, upc) = (&self.given, reading.upc.as_str());
        match reading.form {
            Form::Kroger if given == upc => None,
            Form::Kroger | Form::Short => Some(format!("The UPC {given} was read as {upc}.")),
            Form::Barcode => {
                Some(format!("The barcode {given} ends in its check digit; Kroger's UPC for it is {upc}."))
            }
            Form::UpcE => Some(format!("The short barcode {given} (UPC-E) was read as {upc}.")),
            Form::Plu => Some(format!("The PLU {given} was read as {upc}.")),
            Form::ScaleLabel => Some(format!(
                "The label {given} has a price or weight in it, which no cart takes; the item is Kroger's {upc}."
            )),
            Form::StoresOwn => Some(format!("The number {given}, which a store gave itself, was read as {upc}.")),
        }
    }
}

impl Form {
    /// A phrase for a list of readings.
    pub fn words(self) -> &'static str {
        match self {
            Self::Kroger => "Kroger's own form",
            Self::Short => "Kroger's own form, padded",
            Self::Barcode => "a barcode with its check digit",
            Self::UpcE => "a UPC-E",
            Self::Plu => "a PLU",
            Self::ScaleLabel => "a scale's label, without its price",
            Self::StoresOwn => "a store's own number",
        }
    }
}

type Readings = (Vec<Reading>, Certainty);

fn one(upc: Upc, form: Form, certainty: Certainty) -> Readings {
    (vec![Reading { upc, form }], certainty)
}

/// The readings of bare digits.
fn of_digits(digits: &str) -> Result<Readings, NotANumber> {
    if digits.bytes().all(|digit| digit == b'0') {
        return Err(NotANumber::Other);
    }
    let short = Reading { upc: Upc::padded(digits), form: Form::Short };
    match digits.len() {
        4 | 5 if is_plu(digits) => Ok(one(short.upc, Form::Plu, Certainty::Clear)),
        1..=5 => Ok((vec![short], Certainty::Clear)),
        6..=8 => Ok(of_short_barcode(digits, short)),
        // A spreadsheet drops the leading zeros of a number.
        9..=11 if has_check_digit(digits) && !digits.starts_with('0') => {
            let barcode = of_barcode(digits)?.0;
            Ok((barcode.into_iter().chain([bare(short)]).collect(), Certainty::Open))
        }
        9..=11 => Ok((vec![bare(short)], Certainty::Clear)),
        12 => of_twelve(digits, short),
        13 => of_thirteen(digits),
        14 => of_gtin_14(digits),
        _ => Err(NotANumber::Other),
    }
}

/// A barcode without its check digit: the same, or the item on a scale's label.
fn bare(short: Reading) -> Reading {
    if is_label_of_scale(&short.upc) {
        Reading { upc: without_price(&short.upc), form: Form::ScaleLabel }
    } else {
        short
    }
}

/// EAN-8 and UPC-E: with number system and check digit, with one of them, with none.
fn of_short_barcode(digits: &str, short: Reading) -> Readings {
    let mut found = Vec::new();
    let starts_in_system = digits.starts_with(['0', '1']);
    let expanded = match digits.len() {
        8 if starts_in_system => [upc_e(&digits[..7]).filter(|upc_a| check_digit(upc_a) == digits[7..]), None],
        7 => [
            upc_e(digits).filter(|_| starts_in_system),
            upc_e(&format!("0{}", &digits[..6])).filter(|upc_a| check_digit(upc_a) == digits[6..]),
        ],
        6 => [upc_e(&format!("0{digits}")), None],
        _ => [None, None],
    };
    found.extend(expanded.into_iter().flatten().map(|upc_a| Reading { upc: Upc::padded(&upc_a), form: Form::UpcE }));
    if digits.len() == 8 && has_check_digit(digits) {
        found.push(Reading { upc: Upc::padded(&digits[..7]), form: Form::Barcode });
    }
    let certainty = if found.is_empty() { Certainty::Clear } else { Certainty::Open };
    found.push(short);
    (found, certainty)
}

/// Twelve digits: a UPC-A, or Kroger's own form without its first zero.
fn of_twelve(digits: &str, short: Reading) -> Result<Readings, NotANumber> {
    if !has_check_digit(digits) {
        return Ok((vec![short], Certainty::Clear));
    }
    let (mut readings, certainty) = of_barcode(digits)?;
    // A spreadsheet drops all leading zeros, so a number that begins with 0 lost none.
    let may_lack_a_zero = !digits.starts_with('0') && readings[0].form != Form::ScaleLabel;
    readings.extend(may_lack_a_zero.then_some(short));
    Ok((readings, certainty))
}

/// Thirteen digits: Kroger's own form, or an EAN-13.
fn of_thirteen(digits: &str) -> Result<Readings, NotANumber> {
    let own = Reading { upc: Upc(digits.to_owned()), form: Form::Kroger };
    let is_krogers = digits.starts_with('0');
    if has_check_digit(digits) {
        return match of_barcode(digits) {
            Ok((barcode, _)) if is_krogers => {
                let label = is_label_of_scale(&own.upc).then(|| bare(own.clone()));
                Ok(([own].into_iter().chain(barcode).chain(label).collect(), Certainty::Open))
            }
            Ok((barcode, _)) => Ok((barcode.into_iter().chain([own]).collect(), Certainty::Open)),
            // A coupon. Or a product of Kroger's whose number looks like one by chance.
            Err(_) if is_krogers => Ok((vec![own], Certainty::Clear)),
            Err(refusal) => Err(refusal),
        };
    }
    if is_label_of_scale(&own.upc) {
        return Ok((vec![bare(own.clone()), own], Certainty::Open));
    }
    // Kroger's UPC begins with 0, as a GTIN-13 without its check digit has 12 digits.
    Ok((vec![own], if is_krogers { Certainty::Exact } else { Certainty::Clear }))
}

/// Fourteen digits: the item itself, a case of it, or goods of variable measure.
fn of_gtin_14(digits: &str) -> Result<Readings, NotANumber> {
    if !has_check_digit(digits) {
        return refused(format!("{digits} has 14 digits, and the last is not the check digit of a GTIN-14"));
    }
    match digits.as_bytes()[0] {
        b'0' => of_barcode(&digits[1..]),
        b'9' => refused(format!("{digits} is the number of goods of variable measure, not of one item")),
        _ => {
            let item = Upc::padded(&digits[1..13]);
            refused(format!("{digits} is the number of a case; the item in it is {}", item.as_str()))
        }
    }
}

/// The reading of a number that is certainly a barcode: a GTIN of 8 to 14 digits.
fn of_barcode(gtin: &str) -> Result<Readings, NotANumber> {
    if !has_check_digit(gtin) {
        return refused(format!("the last digit of the barcode {gtin} is not its check digit"));
    }
    if gtin.bytes().all(|digit| digit == b'0') {
        return Err(NotANumber::Other);
    }
    if gtin.len() == 14 {
        return of_gtin_14(gtin);
    }
    let ean = format!("{gtin:0>13}");
    let upc = Upc::padded(&ean[..12]);
    let is_short = ean.starts_with("00000");
    match ean.as_bytes() {
        _ if is_short => Ok(one(upc, Form::Barcode, Certainty::Clear)),
        [b'0', b'2', ..] => Ok(one(without_price(&upc), Form::ScaleLabel, Certainty::Clear)),
        [b'0', b'4', ..] | [b'2', ..] => Ok(one(upc, Form::StoresOwn, Certainty::Open)),
        [b'0', b'5', ..] | [b'9', b'9', ..] | [b'9', b'8', b'0'..=b'4', ..] => {
            refused(format!("{gtin} is the number of a coupon or a refund, not of a product"))
        }
        _ => Ok(one(upc, Form::Barcode, Certainty::Clear)),
    }
}

/// Whether the digits are a PLU of the International Federation for Produce
/// Standards. Organic produce has a 9 in front.
fn is_plu(digits: &str) -> bool {
    matches!(digits.parse(), Ok(3_000..=4_999 | 83_000..=84_999 | 93_000..=94_999))
}

/// Whether this is the label of a scale in Kroger's form, and has a price in it.
fn is_label_of_scale(upc: &Upc) -> bool {
    upc.0.starts_with("002") && !upc.0.ends_with("00000")
}

/// Kroger's number of the item on a scale's label: zeros in place of the price.
fn without_price(upc: &Upc) -> Upc {
    Upc(format!("{}00000", &upc.0[..8]))
}

#[cfg(test)]
mod tests;
