//! Strings that must not be shown: tokens, codes, verifiers, the app's secret.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A secret string. `Debug` shows no part of it, and there is no `Display`:
/// [`Secret::expose`] is the only way to its text.
///
/// A secret serializes as its text, because the store keeps secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Use it in requests and in the store, never in a log or an
    /// error.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A name for this secret that does not reveal it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(base32_sha256(&self.0)[..26].to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The first 130 bits of a secret's SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

/// SHA-256 of `text` as 52 characters of lower-case base32 (RFC 4648 § 6,
/// unpadded): safe in a key of any key-value store.
pub fn base32_sha256(text: &str) -> String {
    BASE32_NOPAD.encode(&Sha256::digest(text)).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_part_of_the_secret() {
        assert_eq!(format!("{:?}", Secret::new("canary")), "Secret(…)");
    }

    #[test]
    fn a_hash_may_be_part_of_a_key() {
        let hash = base32_sha256("user_default");

        assert_eq!(hash.len(), 52);
        assert!(hash.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')));
    }
}
