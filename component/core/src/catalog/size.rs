//! Reads the size of a product, so that prices can be compared by unit. Kroger
//! writes sizes for people: `1 gal`, `12 ct`, `16.9 fl oz / 6 pk`. Never guesses:
//! a size that can mean two things is unknown.

/// The unit that prices are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    FluidOunce,
    Ounce,
    Count,
}

impl Unit {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FluidOunce => "fl oz",
            Self::Ounce => "oz",
            Self::Count => "ct",
        }
    }
}

/// A number of units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amount {
    pub(crate) number: f64,
    pub(crate) unit: Unit,
}

/// The whole contents of a product of this `size`. None: not certain.
pub(super) fn amount(size: &str) -> Option<Amount> {
    let size = size.to_ascii_lowercase();
    let mut parts = split(&size).into_iter();
    match (parts.next()?, parts.next(), parts.next()) {
        (only, None, None) => measure(only),
        (one, Some(other), None) => together(one, other),
        _ => None,
    }
}

/// Splits at a slash between two measures, not at the slash of a fraction.
fn split(size: &str) -> Vec<&str> {
    size.split(" / ").flat_map(|part| part.split(", ")).map(str::trim).collect()
}

/// Multiplies a measure by a number of packs.
///
/// Of a count and a weight only the count is certain: the weight is that of all
/// pieces at some products, and of each piece at others.
fn together(one: &str, other: &str) -> Option<Amount> {
    match (packs(one), packs(other)) {
        (Some(packs), None) => Some(times(measure(other)?, packs)),
        (None, Some(packs)) => Some(times(measure(one)?, packs)),
        (Some(_), Some(_)) => None,
        (None, None) => {
            let measures = [measure(one)?, measure(other)?];
            measures.into_iter().find(|measure| measure.unit == Unit::Count)
        }
    }
}

fn times(amount: Amount, packs: f64) -> Amount {
    Amount { number: amount.number * packs, ..amount }
}

fn packs(text: &str) -> Option<f64> {
    let (number, unit) = number_and_unit(text)?;
    matches!(unit, "pk" | "pack" | "packs").then_some(number)
}

fn measure(text: &str) -> Option<Amount> {
    let (number, unit) = number_and_unit(text)?;
    let (factor, unit) = match unit {
        "fl oz" | "floz" | "fluid ounce" | "fluid ounces" => (1.0, Unit::FluidOunce),
        "gal" | "gallon" | "gallons" => (128.0, Unit::FluidOunce),
        "qt" | "quart" | "quarts" => (32.0, Unit::FluidOunce),
        "pt" | "pint" | "pints" => (16.0, Unit::FluidOunce),
        "l" | "lt" | "liter" | "liters" => (33.814, Unit::FluidOunce),
        "ml" => (0.033_814, Unit::FluidOunce),
        "oz" | "ounce" | "ounces" => (1.0, Unit::Ounce),
        "lb" | "lbs" | "pound" | "pounds" => (16.0, Unit::Ounce),
        "g" | "gram" | "grams" => (0.035_274, Unit::Ounce),
        "kg" => (35.274, Unit::Ounce),
        "ct" | "count" | "each" | "ea" | "pk" | "pack" => (1.0, Unit::Count),
        "dozen" | "dz" => (12.0, Unit::Count),
        _ => return None,
    };
    Some(Amount { number: number * factor, unit })
}

/// Reads `1/2 gal` as half a gallon, and `each` as one.
fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim().trim_end_matches('.');
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '/'))).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = match number.split_once('/') {
        None if number.is_empty() => 1.0,
        None => number.parse().ok()?,
        Some((over, under)) => over.parse::<f64>().ok()? / under.parse::<f64>().ok()?,
    };
    let is_amount = number.is_finite() && number > 0.0;
    is_amount.then_some((number, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_kroger_writes_them() {
        let read = |size: &str| amount(size).map(|amount| ((amount.number * 100.0).round() / 100.0, amount.unit));
        for (size, number, unit) in [
            ("1 gal", 128.0, Unit::FluidOunce),
            ("1/2 gal", 64.0, Unit::FluidOunce),
            ("64 Fl Oz", 64.0, Unit::FluidOunce),
            ("2 L", 67.63, Unit::FluidOunce),
            ("16.9 fl oz / 24 pk", 405.6, Unit::FluidOunce),
            ("6 pk / 12 fl oz", 72.0, Unit::FluidOunce),
            ("1 lb", 16.0, Unit::Ounce),
            ("5.3 oz", 5.3, Unit::Ounce),
            ("500 g", 17.64, Unit::Ounce),
            ("12 ct", 12.0, Unit::Count),
            ("12ct", 12.0, Unit::Count),
            ("8 ct / 14 oz", 8.0, Unit::Count),
            ("1 dozen", 12.0, Unit::Count),
            ("each", 1.0, Unit::Count),
        ] {
            assert_eq!(read(size), Some((number, unit)), "{size}");
        }
    }

    #[test]
    fn an_ambiguous_size_is_unknown() {
        for size in ["", "family size", "0 oz", "1/0 gal", "12 / 16 oz", "6 pk / 2 pk", "3 rolls", "1 2 3", "a / b / c"]
        {
            assert_eq!(amount(size), None, "{size}");
        }
    }
}
