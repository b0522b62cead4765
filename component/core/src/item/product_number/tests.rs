//! The forms of a product's number, and `docs/product-numbers.md`, which is printed
//! from them.

use std::fmt::Write as _;
use std::path::Path;

use super::*;

/// The group of a form, the text, what it is read as, and the source of the rule.
struct Row(&'static str, &'static str, Read, &'static str);

enum Read {
    /// Sent as it is.
    Exact(&'static str),
    /// The first stands if Kroger cannot be asked.
    Clear(&'static [&'static str]),
    /// Kroger must be asked.
    Open(&'static [&'static str]),
    /// A part of the reason.
    Refused(&'static str),
    NoNumber,
}

use Read::{Clear, Exact, NoNumber, Open, Refused};

const KROGER: &str = "Kroger's cart and catalog";
const CHECK: &str = "GS1 § 7.9, check digit";
const EAN_UPC: &str = "GS1, EAN/UPC symbology";
const UPC_E: &str = "GS1, UPC-E barcodes";
const PREFIX: &str = "GS1, prefixes and UPC prefixes";
const GTIN_14: &str = "GS1, GTIN-14 and indicator digit";
const ELEMENT: &str = "GS1, element strings";
const SYMBOL: &str = "ISO/IEC 15424, symbology identifiers";
const LINK: &str = "GS1 Digital Link";
const PLU: &str = "IFPS, PLU codes";
const SHEET: &str = "what spreadsheets do";
const TYPED: &str = "what people type";

const ROWS: &[Row] = &[
    Row("Kroger's form", "0001111041700", Exact("0001111041700"), KROGER),
    Row("Kroger's form", "0 001111-041700", Exact("0001111041700"), TYPED),
    Row("Kroger's form", "0400638133393", Exact("0400638133393"), KROGER),
    Row("Kroger's form", "0021142100000", Exact("0021142100000"), KROGER),
    Row("Kroger's form", "https://www.kroger.com/p/kroger-2-milk/0001111041700", Exact("0001111041700"), KROGER),
    Row("Kroger's form", "UPC: 0001111041700", Exact("0001111041700"), TYPED),
    Row("Kroger's form", "1111041700", Clear(&["0001111041700"]), SHEET),
    Row("Kroger's form", "01111041700", Clear(&["0001111041700"]), CHECK),
    Row("Kroger's form", "1", Clear(&["0000000000001"]), KROGER),
    Row("UPC-A", "011110417008", Clear(&["0001111041700"]), EAN_UPC),
    Row("UPC-A", "0 11110 41700 8", Clear(&["0001111041700"]), TYPED),
    Row("UPC-A", "11110417008", Open(&["0001111041700", "0011110417008"]), SHEET),
    Row("UPC-A", "011110417001", Clear(&["0011110417001"]), CHECK),
    Row("UPC-A, drugs", "300450449054", Clear(&["0030045044905", "0300450449054"]), PREFIX),
    Row("UPC-A, zeros lost", "21000658831", Open(&["0002100065883", "0021000600000"]), SHEET),
    Row("EAN-13", "4006381333931", Open(&["0400638133393", "4006381333931"]), EAN_UPC),
    Row("EAN-13", "9780306406157", Open(&["0978030640615", "9780306406157"]), PREFIX),
    Row("EAN-13", "4006381333930", Clear(&["4006381333930"]), CHECK),
    Row("EAN-13 of a UPC-A", "0011110417008", Open(&["0011110417008", "0001111041700"]), EAN_UPC),
    Row("EAN-8", "96385074", Open(&["0000009638507", "0000096385074"]), EAN_UPC),
    Row("UPC-E", "04252614", Open(&["0004210000526", "0000004252614"]), UPC_E),
    Row("UPC-E", "01234531", Open(&["0001230000045", "0000001234531"]), UPC_E),
    Row("UPC-E, without check digit", "0425261", Open(&["0004210000526", "0000425200006", "0000000425261"]), UPC_E),
    Row("UPC-E, without number system", "4252614", Open(&["0004210000526", "0000004252614"]), UPC_E),
    Row("UPC-E, without both", "425261", Open(&["0004210000526", "0000000425261"]), UPC_E),
    Row("GTIN-14", "00011110417008", Clear(&["0001111041700"]), GTIN_14),
    Row("GTIN-14", "04006381333931", Clear(&["0400638133393"]), GTIN_14),
    Row("GTIN-14 of a case", "10011110417005", Refused("the item in it is 0001111041700"), GTIN_14),
    Row("GTIN-14, variable", "90011110417001", Refused("variable measure"), GTIN_14),
    Row("GTIN-14", "00011110417000", Refused("not the check digit"), CHECK),
    Row("Scale's label", "211421005998", Clear(&["0021142100000"]), PREFIX),
    Row("Scale's label", "0211421005998", Open(&["0211421005998", "0021142100000"]), PREFIX),
    Row("Scale's label", "00211421005998", Clear(&["0021142100000"]), PREFIX),
    Row("Scale's label, without check digit", "21142100599", Clear(&["0021142100000"]), PREFIX),
    Row("Scale's label, without check digit", "0021142100599", Open(&["0021142100000", "0021142100599"]), PREFIX),
    Row("Store's own", "412345678903", Open(&["0041234567890", "0412345678903"]), PREFIX),
    Row("Store's own", "2012345678903", Open(&["0201234567890", "2012345678903"]), PREFIX),
    Row("Coupon", "512345678900", Refused("coupon"), PREFIX),
    Row("Coupon", "9912345678909", Refused("coupon"), PREFIX),
    Row("PLU", "4011", Clear(&["0000000004011"]), PLU),
    Row("PLU", "94011", Clear(&["0000000094011"]), PLU),
    Row("PLU", "PLU #4011", Clear(&["0000000004011"]), PLU),
    Row("Scanner's prefix", "]E00011110417008", Clear(&["0001111041700"]), SYMBOL),
    Row("Scanner's prefix", "]E496385074", Clear(&["0000009638507"]), SYMBOL),
    Row("Scanner's prefix", "]C10100011110417008", Clear(&["0001111041700"]), SYMBOL),
    Row("Scanner's prefix", "]d20100011110417008172612311012AB", Clear(&["0001111041700"]), SYMBOL),
    Row("Element string", "(01)00011110417008(17)261231(10)AB12", Clear(&["0001111041700"]), ELEMENT),
    Row("Element string", "0100011110417008", Clear(&["0001111041700"]), ELEMENT),
    Row("Element string", "010001111041700817261231", Clear(&["0001111041700"]), ELEMENT),
    Row("Element string", "172612310100011110417008", Clear(&["0001111041700"]), ELEMENT),
    Row("Element string", "(17)261231", Refused("no GTIN"), ELEMENT),
    Row("Digital Link", "https://id.gs1.org/01/00011110417008/10/AB?17=261231", Clear(&["0001111041700"]), LINK),
    Row("Digital Link", "https://example.com/milk", Refused("no GTIN"), LINK),
    Row("Spreadsheet", "'0001111041700", Exact("0001111041700"), SHEET),
    Row("Spreadsheet", "=\"0001111041700\"", Exact("0001111041700"), SHEET),
    Row("Spreadsheet", "1111041700.0", Clear(&["0001111041700"]), SHEET),
    Row("Spreadsheet", "1,111,041,700", Clear(&["0001111041700"]), SHEET),
    Row("Spreadsheet", "1.111.041.700", Clear(&["0001111041700"]), SHEET),
    Row("Spreadsheet", "1\u{a0}111\u{202f}041\u{2009}700", Clear(&["0001111041700"]), SHEET),
    Row("Spreadsheet", "1.11104E+10", Refused("lost digits"), SHEET),
    Row("Spreadsheet", "1,11104e+10", Refused("lost digits"), SHEET),
    Row("Copied", "\u{feff}0001111041700\u{200b}", Exact("0001111041700"), TYPED),
    Row("Copied", "0001111\u{2011}041700", Exact("0001111041700"), TYPED),
    Row("Copied", "\u{ff14}\u{ff10}\u{ff11}\u{ff11}", Clear(&["0000000004011"]), TYPED),
    Row("No number", "milk", NoNumber, TYPED),
    Row("No number", "0000000000000", NoNumber, TYPED),
    Row("No number", "-5", NoNumber, TYPED),
    Row("No number", "1.5", NoNumber, TYPED),
    Row("No number", "4011,4012", NoNumber, TYPED),
    Row("No number", "4011\n4012", NoNumber, TYPED),
    Row("No number", "\u{660}\u{661}", NoNumber, TYPED),
    Row("No number", "", NoNumber, TYPED),
];

impl Read {
    fn of(read: Result<ProductNumber, NotANumber>) -> (Vec<String>, Option<Certainty>) {
        match read {
            Ok(number) => {
                let upcs = number.readings.iter().map(|reading| reading.upc.0.clone());
                (upcs.collect(), Some(number.certainty))
            }
            Err(_) => (Vec::new(), None),
        }
    }

    fn expected(&self) -> (Vec<String>, Option<Certainty>) {
        let all = |upcs: &[&str]| upcs.iter().map(|upc| (*upc).to_owned()).collect();
        match self {
            Exact(upc) => (all(&[upc]), Some(Certainty::Exact)),
            Clear(upcs) => (all(upcs), Some(Certainty::Clear)),
            Open(upcs) => (all(upcs), Some(Certainty::Open)),
            Refused(_) | NoNumber => (Vec::new(), None),
        }
    }
}

#[test]
fn each_form_of_a_number_is_read_as_the_table_says() {
    let mut wrong = Vec::new();
    for Row(form, given, expected, _) in ROWS {
        let read = ProductNumber::parse(given);
        let is_right = match (expected, &read) {
            (Refused(part), Err(NotANumber::Refused(reason))) => reason.contains(part),
            (NoNumber, Err(NotANumber::Other)) => true,
            (Refused(_) | NoNumber, _) => false,
            _ => Read::of(read.clone()) == expected.expected(),
        };
        if !is_right {
            wrong.push(format!("{form} {given}: {read:?}"));
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A number of Kroger's is never taken for another one if Kroger knows it.
#[test]
fn each_upc_of_krogers_is_among_its_own_readings() {
    for number in (1..2_000_u64).map(|number| number * 499_979_321 % 1_000_000_000_000) {
        let upc = format!("{number:013}");
        let read = ProductNumber::parse(&upc).unwrap();
        let is_own = read.readings.iter().any(|reading| reading.upc.0 == upc && reading.form == Form::Kroger);
        let is_label = upc.starts_with("002") && !upc.ends_with("00000");
        assert!(is_own, "{upc}: {read:?}");
        assert_eq!(read.is_exact(), !has_check_digit(&upc) && !is_label, "{upc}: {read:?}");
    }
}

#[test]
fn a_note_repeats_a_long_text_in_part() {
    let link = format!("https://id.gs1.org/01/00011110417008?{}", "x".repeat(500));

    let read = ProductNumber::parse(&link).unwrap();

    assert!(read.note(read.first()).unwrap().len() < 150);
}

const HEAD: &str = "\
# Product numbers

Kroger's UPC has 13 digits: the barcode without its check digit, with zeros in front. Kroger's cart accepts any 13 digits, even of
a product that Kroger does not have. So a number in another form is looked up before it is sent. This page lists the forms.
`NUMBERS=write cargo test -p kroger-core --lib numbers_page` writes it from `component/core/src/item/product_number/tests.rs`, and
a test holds it to them; do not edit it.

- **exact**: the number is sent as it is, without a look-up.
- **clear**: it is looked up. If Kroger's catalog cannot be asked, the first UPC is sent, with a note.
- **open**: it is looked up. If Kroger's catalog cannot be asked, nothing is sent. An app that may not read the catalog at all still
  sends 13 digits that begin with 0 as they are.
- Kroger knows one of the UPCs: that one is sent, and `notes` says so. Kroger knows none or several: nothing is sent, and the error
  asks which product is meant. 13 digits in Kroger's own form that Kroger knows stand for themselves.
- That Kroger has a product is remembered for a day, in memory.
- A repeat with an idempotency key is answered as the first call was, without a look-up.

| form | given | UPCs, the likeliest first | | source |
|---|---|---|---|---|
";

fn line(Row(form, given, read, source): &Row) -> String {
    let upcs = |upcs: &[&str]| format!("`{}`", upcs.join("`, `"));
    let (what, how) = match read {
        Exact(upc) => (upcs(&[upc]), "exact"),
        Clear(all) => (upcs(all), "clear"),
        Open(all) => (upcs(all), "open"),
        Refused(why) => (format!("none: {why}"), "refused"),
        NoNumber => ("none".to_owned(), "refused"),
    };
    format!("| {form} | {} | {what} | {how} | {source} |", visible(given))
}

/// The text in back quotes, with Rust's escapes for characters that nobody sees.
fn visible(text: &str) -> String {
    let is_seen = |c: char| c.is_ascii_graphic() || c == ' ';
    let shown = text.chars().map(|c| if is_seen(c) { c.to_string() } else { c.escape_default().to_string() });
    if text.is_empty() { "nothing".to_owned() } else { format!("`{}`", shown.collect::<String>()) }
}

fn page() -> String {
    ROWS.iter().fold(HEAD.to_owned(), |mut page, row| {
        writeln!(page, "{}", line(row)).expect("a string takes all");
        page
    })
}

#[test]
fn numbers_page_says_what_the_table_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/product-numbers.md");
    if std::env::var("NUMBERS").is_ok_and(|what| what == "write") {
        std::fs::write(file, page()).unwrap();
        return;
    }

    let written = std::fs::read_to_string(file).unwrap_or_default();

    assert!(
        written == page(),
        "docs/product-numbers.md is stale; `just numbers` writes it: NUMBERS=write cargo test -p kroger-core --lib numbers_page"
    );
}
