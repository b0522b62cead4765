//! Makes tokens and codes.
//!
//! They are opaque, and nobody can guess them while the seed is secret. The same seed makes the
//! same tokens, so the rules need no source of randomness.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

pub(crate) struct TokenMint {
    seed: [u8; 32],
    minted: u64,
}

impl TokenMint {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed, minted: 0 }
    }

    /// Makes a new token of 43 URL-safe characters.
    pub(crate) fn token(&mut self) -> String {
        self.minted += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.minted.to_le_bytes());
        URL_SAFE_NO_PAD.encode(hash.finalize())
    }
}
