//! Makes tokens and codes: opaque, unguessable while the seed is secret, and the same again for
//! the same seed, so that the rules above need no source of randomness.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

pub(crate) struct Mint {
    seed: [u8; 32],
    minted: u64,
}

impl Mint {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed, minted: 0 }
    }

    /// A fresh token of 43 URL-safe characters.
    pub(crate) fn token(&mut self) -> String {
        self.minted += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.minted.to_le_bytes());
        URL_SAFE_NO_PAD.encode(hash.finalize())
    }
}
