//! The arithmetic of GS1's numbers: check digits, and the zeros that a UPC-E leaves out.

/// The UPC-A, without check digit, of a UPC-E with number system and without check
/// digit (GS1 General Specifications, UPC-E barcodes).
pub(super) fn upc_e(digits: &str) -> Option<String> {
    let [system, one, two, three, four, five, last] = <[char; 7]>::try_from(digits.chars().collect::<Vec<_>>()).ok()?;
    Some(match last {
        '0'..='2' => format!("{system}{one}{two}{last}0000{three}{four}{five}"),
        '3' => format!("{system}{one}{two}{three}00000{four}{five}"),
        '4' => format!("{system}{one}{two}{three}{four}00000{five}"),
        _ => format!("{system}{one}{two}{three}{four}{five}0000{last}"),
    })
}

/// The check digit of `digits` (GS1 General Specifications § 7.9).
pub(super) fn check_digit(digits: &str) -> String {
    let sum = weighted_sum(&format!("{digits}0"));
    ((10 - sum % 10) % 10).to_string()
}

/// Whether the last digit is the check digit of the others.
pub(super) fn has_check_digit(digits: &str) -> bool {
    weighted_sum(digits).is_multiple_of(10)
}

/// Counted from the right, the weights are 1 and 3 in turn.
fn weighted_sum(digits: &str) -> u32 {
    let weighted = digits.bytes().rev().zip([1, 3].iter().cycle());
    weighted.map(|(digit, weight)| u32::from(digit - b'0') * weight).sum()
}
