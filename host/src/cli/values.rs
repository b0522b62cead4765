//! What the values of options may be, by the component's own rules.

use kroger_core::scope::Scope;
use kroger_core::user::UserId;

/// A user id, for `--user`.
pub(super) fn user_id(text: &str) -> Result<String, &'static str> {
    UserId::parse(text).map(|user| user.as_str().to_owned())
}

/// Space-separated scopes, for `--scope`.
pub(super) fn scope(text: &str) -> Result<String, &'static str> {
    Scope::parse(text).map(|scope| scope.as_str().to_owned())
}
