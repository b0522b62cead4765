//! Reads the body of Kroger's error answers. Decides nothing.

use serde_json::Value;

use crate::json;
use crate::text::cleaned;

/// The most characters of a text to show.
const LONGEST: usize = 200;

/// An error as Kroger describes it, from any of its shapes. Cleaned of hidden
/// characters, and cut to 200 characters each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiError {
    /// Kroger's `code`, or OAuth's `error` (RFC 6749 § 5.2).
    pub code: String,
    /// Kroger's `reason`, or OAuth's `error_description`.
    pub reason: String,
}

impl ApiError {
    /// Reads `{code, reason}` or OAuth's `{error, error_description}`, bare or below
    /// `errors`. None: the body has none of these shapes, so it is not Kroger's.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let value: Value = json::answer(body)?;
        let inner = match value.get("errors") {
            Some(Value::Array(errors)) => errors.first()?,
            Some(errors) => errors,
            None => &value,
        };
        let text = |names: [&str; 2]| {
            let found = names.iter().find_map(|name| inner.get(*name)?.as_str());
            found.map(|text| cleaned(text, LONGEST)).unwrap_or_default()
        };
        let error = Self { code: text(["code", "error"]), reason: text(["reason", "error_description"]) };
        (error != Self::default()).then_some(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_of_krogers_errors_is_read() {
        let shapes = [
            (r#"{"errors":{"timestamp":1,"code":"C","reason":"R"}}"#, "C", "R"),
            (r#"{"timestamp":1,"code":"C","reason":"R"}"#, "C", "R"),
            (r#"{"error":"invalid_token","error_description":"D"}"#, "invalid_token", "D"),
            (r#"{"errors":{"error":"invalid_token","error_description":"D"}}"#, "invalid_token", "D"),
        ];
        for (body, code, reason) in shapes {
            let error = ApiError::parse(body.as_bytes()).unwrap();
            assert_eq!((error.code.as_str(), error.reason.as_str()), (code, reason));
        }
        for body in ["", "<html>", "[]", "{}", "\"x\"", "{\"errors\":[]}"] {
            assert_eq!(ApiError::parse(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn a_peers_text_is_cut_and_cleaned() {
        let body = format!(r#"{{"code":"a\u001b[31m","reason":"{}"}}"#, "x".repeat(5_000));

        let error = ApiError::parse(body.as_bytes()).unwrap();

        assert_eq!(error.code, "a[31m");
        assert_eq!(error.reason.len(), 200);
    }
}
