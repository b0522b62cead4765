//! Form and query parameters under RFC 6749's rules: an empty value counts as omitted, and no
//! parameter may come twice.

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

    /// Whether some parameter came more than once, for which the request must be refused
    /// (RFC 6749 §3.1 and §3.2).
    pub(crate) fn has_repeats(&self) -> bool {
        self.repeated
    }

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
    fn a_parameter_that_comes_twice_is_noticed() {
        assert!(Parameters::parse(b"code=x&code=y").has_repeats());
        assert!(!Parameters::parse(b"code=x&code=&state=x").has_repeats());
    }
}
