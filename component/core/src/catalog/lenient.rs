//! Reads fields of Kroger's JSON in whatever form they come. Never fails.
//!
//! A field that is missing, null or of the wrong type counts as absent. A number
//! may be a string, and a list may be its only element.

use std::borrow::Cow;

use serde_json::Value;

use crate::text::{cleaned, is_clean};

/// The longest text to show of a peer's, in characters.
const LONGEST_TEXT: usize = 500;

/// A text that is not blank, without hidden characters. A number counts as one.
pub(super) fn text(value: &Value, name: &str) -> Option<String> {
    let clean = cleaned(&sent(value, name)?, LONGEST_TEXT);
    (!clean.is_empty()).then_some(clean)
}

/// An id. None also where it has a hidden character: without it, it is the id of
/// another thing.
pub(super) fn id(value: &Value, name: &str) -> Option<String> {
    let id = sent(value, name)?;
    is_clean(&id).then(|| id.trim().to_owned()).filter(|id| !id.is_empty())
}

/// Whether there is an id `name`, and it has a hidden character.
pub(super) fn has_hidden_part(value: &Value, name: &str) -> bool {
    sent(value, name).is_some_and(|id| !is_clean(&id))
}

fn sent<'a>(value: &'a Value, name: &str) -> Option<Cow<'a, str>> {
    match value.get(name)? {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        _ => None,
    }
}

/// The text of the first of `names` that has one.
pub(super) fn first_text(value: &Value, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| text(value, name))
}

/// A number that is not negative.
pub(super) fn number(value: &Value, name: &str) -> Option<f64> {
    let number = match value.get(name)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().trim_start_matches('$').parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

/// A whole number, as Kroger counts things.
pub(super) fn count(value: &Value, name: &str) -> Option<u32> {
    let number = number(value, name)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    (number.fract() == 0.0 && number <= f64::from(u32::MAX)).then_some(number as u32)
}

/// The flag of the first of `names` that has one.
pub(super) fn flag(value: &Value, names: &[&str]) -> Option<bool> {
    names.iter().find_map(|name| match value.get(*name)? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    })
}

/// The elements of the list `name`. An object in its place is the only element.
pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    match value.get(name) {
        Some(Value::Array(list)) => list,
        Some(object @ Value::Object(_)) => std::slice::from_ref(object),
        _ => &[],
    }
}

/// The texts of the list `name`. A text in its place is the only one.
pub(super) fn texts(value: &Value, name: &str) -> Vec<String> {
    let Some(Value::Array(list)) = value.get(name) else { return text(value, name).into_iter().collect() };
    list.iter().filter_map(|element| text(&serde_json::json!({ "": element }), "")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_of_the_wrong_type_is_absent_and_a_number_may_be_a_string() {
        let value = json!({
            "a": " milk\u{1b} ", "b": 35, "c": null, "d": {}, "e": "1.99", "f": "$2", "g": -1, "h": "TRUE",
            "i": ["x", 5, null, {}], "j": "", "k": "10", "l": 1.5,
        });
        assert_eq!(text(&value, "a").as_deref(), Some("milk"));
        assert_eq!(first_text(&value, &["j", "c", "b"]).as_deref(), Some("35"));
        assert_eq!(text(&value, "d"), None);
        assert_eq!([number(&value, "e"), number(&value, "f"), number(&value, "g")], [Some(1.99), Some(2.0), None]);
        assert_eq!([count(&value, "k"), count(&value, "l")], [Some(10), None]);
        assert_eq!(flag(&value, &["a", "h"]), Some(true));
        assert_eq!(texts(&value, "i"), ["x", "5"]);
        assert_eq!(texts(&value, "a"), ["milk"]);
        assert_eq!(list(&value, "d").len(), 1);
        assert!(list(&value, "a").is_empty() && list(&value, "z").is_empty());
    }
}
