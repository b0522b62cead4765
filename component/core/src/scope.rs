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
        let is_scope_character = |c: char| matches!(c, '!' | '#'..='[' | ']'..='~');
        let tokens: Vec<&str> = text.split(' ').filter(|token| !token.is_empty()).collect();
        if tokens.is_empty() || text.len() > 512 || !tokens.concat().chars().all(is_scope_character) {
            return Err(Self::ALLOWED);
        }
        Ok(Self(tokens.join(" ")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if each token of `other` is part of this scope.
    pub fn includes(&self, other: &Self) -> bool {
        other.0.split(' ').all(|token| self.0.split(' ').any(|own| own == token))
    }

    /// This scope, and `token` where it is not part of it.
    #[must_use]
    pub(crate) fn with(&self, token: &str) -> Self {
        if self.0.split(' ').any(|own| own == token) { self.clone() } else { Self(format!("{} {token}", self.0)) }
    }
}
