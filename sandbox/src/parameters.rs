//! Parses form and query parameters under the rules of RFC 6749: an empty value counts as
//! omitted, and no parameter may be repeated.
//!
//! Reports a repeated parameter, but never rejects the request: the endpoint does.

use axum::extract::RawQuery;
use url::form_urlencoded;

/// Decoded `name=value` pairs.
#[derive(Default)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
    repeated: bool,
}

impl Parameters {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(encoded).filter(|(_, value)| !value.is_empty()) {
            parsed.repeated |= parsed.value(&name).is_some();
            parsed.pairs.push((name.into_owned(), value.into_owned()));
        }
        parsed
    }

    pub(crate) fn of_query(RawQuery(query): &RawQuery) -> Self {
        Self::parse(query.as_deref().unwrap_or_default().as_bytes())
    }

    /// Reports whether a parameter is repeated.
    ///
    /// The OAuth endpoints must refuse such a request (RFC 6749 §3.1 and §3.2).
    pub(crate) fn has_repeats(&self) -> bool {
        self.repeated
    }

    /// Returns the first value of the parameter `name`.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_empty_ones_are_omitted() {
        let form = Parameters::parse(b"scope=a+b%3Ac&state=&code=x");
        assert_eq!(form.value("scope"), Some("a b:c"));
        assert_eq!(form.value("state"), None);
        assert_eq!(form.value("code"), Some("x"));
    }

    #[test]
    fn repeated_parameter_is_reported() {
        assert!(Parameters::parse(b"code=x&code=y").has_repeats());
        assert!(!Parameters::parse(b"code=x&code=&state=x").has_repeats());
    }
}
