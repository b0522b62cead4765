//! The items of a cart, as types that cannot be wrong. Asks Kroger nothing.

pub mod product_number;

/// A Universal Product Code in Kroger's form: 13 digits, padded with zeros on the
/// left, without the check digit of the barcode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upc(String);

impl Upc {
    /// Reads Kroger's own form: 13 digits, or fewer, which are padded.
    ///
    /// This is for numbers of Kroger's. [`product_number::ProductNumber`] reads the numbers of callers,
    /// which may be barcodes.
    ///
    /// # Errors
    /// The allowed values, in words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const ALLOWED: &str = "a UPC of 13 digits, such as 0001111041700";

        let is_number = (1..=13).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_upc = is_number && text.bytes().any(|byte| byte != b'0');
        if is_upc { Ok(Self::padded(text)) } else { Err(ALLOWED) }
    }

    fn padded(digits: &str) -> Self {
        Self(format!("{digits:0>13}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_upc_of_krogers_is_padded_and_never_converted() {
        let read = |text: &str| Upc::parse(text).map(|upc| upc.0);

        assert_eq!(read("0001111041700").as_deref(), Ok("0001111041700"));
        assert_eq!(read("4011").as_deref(), Ok("0000000004011"));
        assert_eq!(read("011110417008").as_deref(), Ok("0011110417008"));
        for wrong in ["", "milk", "00011110417000", "-5", "0000000000000", "٠٠٠١"] {
            assert!(Upc::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_quantity_is_1_to_999() {
        assert!(Quantity::new(0).is_err());
        assert!(Quantity::new(1_000).is_err());
        assert_eq!(Quantity::new(999).map(Quantity::get), Ok(999));
    }
}
