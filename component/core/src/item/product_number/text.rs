//! Takes a product's number out of the text around it: spaces, a spreadsheet's marks,
//! a scanner's prefix, GS1's element strings and links.

use url::Url;

use super::digits::has_check_digit;

/// What a number must be, as the end of a sentence.
const ALLOWED: &str = "a UPC of 13 digits, such as 0001111041700";

/// The most characters of a text that a note repeats.
const MOST_SHOWN: usize = 40;
/// The data elements of fixed length that may stand before a GTIN, and the digits of
/// identifier and data (GS1 General Specifications, element strings).
const FIXED: [(&str, usize); 8] =
    [("00", 20), ("11", 8), ("12", 8), ("13", 8), ("15", 8), ("16", 8), ("17", 8), ("20", 4)];
/// The symbology identifiers of barcodes that carry element strings (ISO/IEC 15424).
const ELEMENT_SYMBOLS: [&str; 8] = ["]C1", "]e0", "]e1", "]e2", "]e3", "]d2", "]Q3", "]J1"];

/// What a text holds.
pub(super) enum Number {
    /// Bare digits, 1 to 14.
    Digits(String),
    /// A GTIN with its check digit: a scanner or a standard says that it is one.
    Barcode(String),
    /// 13 digits of an address of Kroger's website.
    Kroger(String),
}

/// Why a text is not the number of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotANumber {
    /// It is something else, such as words.
    Other,
    /// It is a number that names no single product. The reason.
    Refused(String),
}

impl NotANumber {
    /// The allowed values, as the end of a sentence.
    pub fn allowed(&self) -> String {
        match self {
            Self::Other => format!("{ALLOWED}; shorter ones are padded with zeros"),
            Self::Refused(reason) => format!("{ALLOWED}; {reason}"),
        }
    }
}

pub(super) fn refused<T>(reason: impl Into<String>) -> Result<T, NotANumber> {
    Err(NotANumber::Refused(reason.into()))
}

/// The text as a note repeats it.
pub(super) fn shown(text: &str) -> String {
    let shown: String = text.trim().chars().filter(|c| !c.is_control()).take(MOST_SHOWN).collect();
    if text.trim().chars().count() > MOST_SHOWN { format!("{shown}…") } else { shown }
}

/// Reads the number.
pub(super) fn number(text: &str) -> Result<Number, NotANumber> {
    let text = without_marks(text);
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("https://") || lower.starts_with("http://") {
        return of_link(text);
    }
    if text.starts_with(']') {
        return of_symbol(text);
    }
    if text.starts_with('(') {
        return in_brackets(text);
    }
    let text = without_label(text, &lower);
    if is_rounded(text) {
        return refused(format!(
            "{text} is a spreadsheet's short form, which lost digits; format the column as text and copy it again"
        ));
    }
    let in_one_piece: String = text.chars().filter(|c| !is_separator(*c)).collect();
    if let Some(gtin) = in_element_string(&in_one_piece) {
        return Ok(Number::Barcode(gtin));
    }
    digits(text).map(Number::Digits).ok_or(NotANumber::Other)
}

/// Drops what programs put around a number: a byte order mark, spaces, quotes, the
/// apostrophe and the formula with which spreadsheets keep a text a text.
fn without_marks(text: &str) -> &str {
    let is_space = |c: char| c.is_whitespace() || is_invisible(c);
    let text = text.trim_matches(is_space);
    let text = text.strip_prefix('=').unwrap_or(text);
    let is_quote = |c: char| matches!(c, '"' | '\'' | '`' | '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}');
    text.trim_matches(is_quote).trim_matches(is_space)
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{ad}')
}

/// Drops a word that names the kind of number: `UPC: 0001111041700`, `PLU #4011`.
fn without_label<'a>(text: &'a str, lower: &str) -> &'a str {
    const LABELS: [&str; 8] = ["upc-a", "upc", "ean-13", "ean", "gtin-14", "gtin", "plu", "#"];

    let label = LABELS.iter().find(|label| lower.starts_with(**label));
    let rest = label.map(|label| text[label.len()..].trim_start_matches([' ', ':', '#', '=', '\u{a0}']));
    rest.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(text)
}

/// Whether a spreadsheet wrote the number with an exponent: `1.11104E+10`.
fn is_rounded(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number(&mantissa.replacen(['.', ','], "", 1)) && is_number(exponent.strip_prefix('+').unwrap_or(exponent))
}

/// The digits of a number that may be grouped by spaces or hyphens, or written as a
/// spreadsheet writes a quantity. None: it is no such number.
fn digits(text: &str) -> Option<String> {
    let plain: String = text.chars().filter(|c| !is_invisible(*c)).map(narrow).collect();
    let plain = as_whole(&plain);
    let is_framed = plain.starts_with(|c: char| c.is_ascii_digit()) && plain.ends_with(|c: char| c.is_ascii_digit());
    let digits: String = plain.chars().filter(|c| !is_separator(*c)).collect();
    let is_number = is_framed && digits.len() <= 14 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(digits)
}

/// The ASCII digit of a full-width one, which East Asian keyboards type.
fn narrow(c: char) -> char {
    match c {
        '\u{ff10}'..='\u{ff19}' => char::from_digit(u32::from(c) - 0xff10, 10).unwrap_or(c),
        _ => c,
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '-' | '\u{a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
        || matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Drops the fraction `.0` and the separators of thousands.
fn as_whole(text: &str) -> String {
    let whole = text.split_once('.').filter(|(_, zeros)| !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0'));
    let whole = whole.map_or(text, |(whole, _)| whole);
    let grouped = |mark: char| {
        let groups: Vec<&str> = whole.split(mark).collect();
        let are_digits = groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_digit()));
        are_digits && (1..=3).contains(&groups[0].len()) && groups[1..].iter().all(|group| group.len() == 3)
    };
    // One full stop alone is more likely a fraction.
    match whole.matches('.').count() {
        0 if whole.contains(',') && grouped(',') => whole.replace(',', ""),
        2.. if grouped('.') => whole.replace('.', ""),
        _ => whole.to_owned(),
    }
}

/// The number of a scanner that tells the kind of barcode (ISO/IEC 15424).
fn of_symbol(text: &str) -> Result<Number, NotANumber> {
    let (Some(symbol), Some(data)) = (text.get(..3), text.get(3..)) else { return Err(NotANumber::Other) };
    if ELEMENT_SYMBOLS.contains(&symbol) {
        let gtin = if data.starts_with('(') { return in_brackets(data) } else { in_element_string(data) };
        return gtin.map_or_else(
            || refused("the barcode has no GTIN in it, which the identifier 01 marks"),
            |gtin| Ok(Number::Barcode(gtin)),
        );
    }
    let Some(digits) = digits(data) else { return Err(NotANumber::Other) };
    match symbol {
        "]E0" | "]E4" | "]I0" | "]I1" | "]I2" if digits.len() >= 8 => Ok(Number::Barcode(digits)),
        // An add-on of 2 or 5 digits follows.
        "]E3" if digits.len() >= 13 => Ok(Number::Barcode(digits[..13].to_owned())),
        _ => Ok(Number::Digits(digits)),
    }
}

/// The GTIN of `(01)00011110417008(17)261231`.
fn in_brackets(text: &str) -> Result<Number, NotANumber> {
    let gtin = text.split_once("(01)").map(|(_, rest)| rest.trim_start());
    let gtin = gtin.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    match gtin {
        Some(gtin) if gtin.len() == 14 => Ok(Number::Barcode(gtin)),
        Some(_) => refused("the identifier (01) needs a GTIN of 14 digits after it"),
        None if text[1..].starts_with(|c: char| c.is_ascii_digit()) => {
            refused("the element string has no GTIN in it, which the identifier (01) marks")
        }
        None => Err(NotANumber::Other),
    }
}

/// The GTIN of `010001111041700817261231`. None: this is no element string.
fn in_element_string(text: &str) -> Option<String> {
    let mut rest = text.trim_start_matches('\u{1d}');
    while let Some((_, length)) = FIXED.iter().find(|(identifier, _)| rest.starts_with(identifier)) {
        rest = rest.get(*length..)?.trim_start_matches('\u{1d}');
    }
    let gtin = rest.strip_prefix("01")?.get(..14)?;
    let is_gtin = gtin.bytes().all(|byte| byte.is_ascii_digit()) && has_check_digit(gtin);
    is_gtin.then(|| gtin.to_owned())
}

/// The number of a GS1 Digital Link (`/01/00011110417008`), or of a product's page on
/// a website of Kroger's (`/p/kroger-2-milk/0001111041700`).
fn of_link(text: &str) -> Result<Number, NotANumber> {
    let link = Url::parse(text).map_err(|_| NotANumber::Other)?;
    let parts: Vec<&str> = link.path_segments().into_iter().flatten().filter(|part| !part.is_empty()).collect();
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let after = |name: &str| parts.iter().skip_while(|part| **part != name).nth(1).copied();
    if let ["p", _, upc] = parts[..]
        && upc.len() == 13
        && is_number(upc)
        && upc.bytes().any(|digit| digit != b'0')
    {
        return Ok(Number::Kroger(upc.to_owned()));
    }
    match after("01").or_else(|| after("gtin")) {
        Some(gtin) if is_number(gtin) && matches!(gtin.len(), 8 | 12 | 13 | 14) => Ok(Number::Barcode(gtin.to_owned())),
        _ => refused("the link names no product: it has no GTIN after /01/"),
    }
}
