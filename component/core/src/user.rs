//! The user that a grant belongs to. Says nothing about who may call for them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::secret::base32_sha256;
use crate::text::is_clean;

/// A caller's name for a user: 1 to 256 characters, none of them hidden. So a
/// person, a terminal and a model see the same name as the store.
///
/// Never Kroger's profile id: Kroger's terms forbid to key data by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(String);

impl UserId {
    pub(crate) const ALLOWED: &'static str =
        "1 to 256 characters, none of them hidden, such as a control or zero-width character";

    /// Reads a user id.
    ///
    /// # Errors
    /// The allowed values in words, if `text` is not a user id.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.trim().is_empty() || text.chars().count() > 256 || !is_clean(text) {
            return Err(Self::ALLOWED);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn key(&self) -> UserKey {
        UserKey(base32_sha256(&self.0))
    }
}

/// A user as part of a key of the store: the SHA-256 of the id, in 52 characters of
/// lower-case base32.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserKey(String);

impl UserKey {
    /// Takes the user's part of a key that was found in the store.
    pub(crate) fn from_stored(part: &str) -> Self {
        Self(part.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 8 characters: enough to tell users apart in a log, too few to be a
    /// key.
    pub(crate) fn short(&self) -> String {
        self.0.chars().take(8).collect()
    }
}

impl fmt::Display for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
