//! The scope of a sign-in, as a type that cannot be wrong. Knows no scope by name.

/// Space-separated OAuth scope tokens (RFC 6749 § 3.3), at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    pub(crate) const ALLOWED: &'static str = "space-separated scopes, such as `profile.compact cart.basic:write`";

    /// Reads scope tokens and drops superfluous spaces.
    ///
    /// # Errors
    /// The allowed values in words, if `text` is not a scope.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let tokens: Vec<&str> = text.split(' ').filter(|token| !token.is_empty()).collect();
        if tokens.is_empty() || text.len() > 512 || !tokens.iter().all(|token| is_token(token)) {
            return Err(Self::ALLOWED);
        }
        Ok(Self(tokens.join(" ")))
    }

    /// The scope tokens in what a server or a file says was granted. Leaves out what
    /// is no token, and what is too much. None: no token is left.
    pub(crate) fn granted(text: &str) -> Option<String> {
        const LONGEST: usize = 1_024;

        let mut granted = String::new();
        for token in text.split(' ').filter(|token| is_token(token)) {
            let blank = if granted.is_empty() { "" } else { " " };
            if granted.len() + blank.len() + token.len() > LONGEST {
                break;
            }
            granted.push_str(blank);
            granted.push_str(token);
        }
        (!granted.is_empty()).then_some(granted)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This scope, and `token` where it is not part of it.
    #[must_use]
    pub(crate) fn with(&self, token: &str) -> Self {
        if self.0.split(' ').any(|own| own == token) { self.clone() } else { Self(format!("{} {token}", self.0)) }
    }
}

/// A scope token of RFC 6749 § 3.3.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| matches!(c, '!' | '#'..='[' | ']'..='~'))
}
