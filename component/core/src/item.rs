//! The items of a cart, as types that cannot be wrong. Asks Kroger nothing.

/// A Universal Product Code in Kroger's form: 13 digits, padded with zeros on the
/// left, without the check digit of the barcode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upc(String);

/// A UPC, with a note if the input was corrected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadUpc {
    pub upc: Upc,
    pub note: Option<String>,
}

impl Upc {
    /// Reads a UPC as people and scanners give it.
    ///
    /// Drops spaces and hyphens between digits. Drops the check digit of a 12-digit
    /// barcode (UPC-A). Pads shorter input with zeros.
    ///
    /// # Errors
    /// The allowed values, in words.
    pub fn parse(text: &str) -> Result<ReadUpc, &'static str> {
        const ALLOWED: &str = "a UPC of 13 digits, such as 0001111041700; shorter ones are padded with zeros";
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let is_framed_by_digits =
            text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(|c: char| c.is_ascii_digit());
        let is_number = is_framed_by_digits && digits.len() <= 13 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || digits.bytes().all(|byte| byte == b'0') {
            return Err(ALLOWED);
        }
        let is_barcode = digits.len() == 12 && has_check_digit(&digits);
        let upc = if is_barcode { format!("{:0>13}", &digits[..11]) } else { format!("{digits:0>13}") };
        let note = match (is_barcode, upc == text) {
            (true, _) => Some(format!("The barcode {digits} ends in its check digit; Kroger's UPC for it is {upc}.")),
            (false, true) => None,
            (false, false) => Some(format!("The UPC {text} was read as {upc}.")),
        };
        Ok(ReadUpc { upc: Self(upc), note })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The UPC that these digits would mean as a barcode (GTIN-13). None: the last
    /// digit is not the check digit of the others.
    ///
    /// One UPC in ten looks like a barcode by chance. So ask the user about this
    /// UPC, and never put it in place of the given one.
    pub(crate) fn of_barcode(&self) -> Option<Self> {
        has_check_digit(&self.0).then(|| Self(format!("0{}", &self.0[..12])))
    }
}

/// Whether the weighted sum of the digits is a multiple of 10. Counted from the
/// right, the weights are 1 and 3 in turn (GS1 General Specifications § 7.9).
fn has_check_digit(digits: &str) -> bool {
    let weighted = digits.bytes().rev().zip([1, 3].iter().cycle());
    let sum: u32 = weighted.map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    sum.is_multiple_of(10)
}

/// The quantity of an item: 1 to 999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity(u32);

impl Quantity {
    /// Checks a number.
    ///
    /// # Errors
    /// The allowed values, in words.
    pub fn new(number: u32) -> Result<Self, &'static str> {
        if (1..=999).contains(&number) { Ok(Self(number)) } else { Err("a whole number from 1 to 999") }
    }

    pub fn get(self) -> u32 {
        self.0
    }
}

/// The way the user gets an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modality {
    Pickup,
    Delivery,
}

impl Modality {
    /// Reads the word in any case.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_uppercase().as_str() {
            "PICKUP" => Some(Self::Pickup),
            "DELIVERY" => Some(Self::Delivery),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pickup => "PICKUP",
            Self::Delivery => "DELIVERY",
        }
    }
}

/// One line of a cart add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub upc: Upc,
    pub quantity: Quantity,
    pub modality: Modality,
}

/// A UPC that Kroger does not know, and the product whose barcode it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MistakenBarcode {
    pub(crate) given: Upc,
    pub(crate) meant: Upc,
    pub(crate) description: String,
}

impl MistakenBarcode {
    /// `0011110417008 is a barcode with its check digit: did you mean 0001111041700 Kroger 2% Milk?`
    pub fn question(&self) -> String {
        format!(
            "{} is a barcode with its check digit: did you mean {} {}?",
            self.given.as_str(),
            self.meant.as_str(),
            self.description
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_upc_is_padded_corrected_or_refused() {
        let read = |text: &str| Upc::parse(text).map(|read| (read.upc.0, read.note.is_some()));

        assert_eq!(read("0001111041700"), Ok(("0001111041700".to_owned(), false)));
        assert_eq!(read("1111041700"), Ok(("0001111041700".to_owned(), true)));
        // The barcode of 0001111041700 with its check digit.
        assert_eq!(read("011110417008"), Ok(("0001111041700".to_owned(), true)));
        assert_eq!(read("0 11110 41700 8"), Ok(("0001111041700".to_owned(), true)));
        // Twelve digits that are no barcode are a short UPC.
        assert_eq!(read("011110417001"), Ok(("0011110417001".to_owned(), true)));
        for wrong in ["", "milk", "00011110417000", "-5", "0000000000000", "٠٠٠١"] {
            assert!(Upc::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn thirteen_digits_with_a_check_digit_may_be_a_barcode() {
        let meant = |text: &str| Upc::parse(text).unwrap().upc.of_barcode().map(|upc| upc.0);

        assert_eq!(meant("0011110417008").as_deref(), Some("0001111041700"));
        assert_eq!(meant("4006381333931").as_deref(), Some("0400638133393"));
        assert_eq!(meant("0001111041700"), None);
    }

    #[test]
    fn a_quantity_is_1_to_999() {
        assert!(Quantity::new(0).is_err());
        assert!(Quantity::new(1_000).is_err());
        assert_eq!(Quantity::new(999).map(Quantity::get), Ok(999));
    }
}
