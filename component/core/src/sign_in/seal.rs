//! Seals what a client or a browser carries between two calls, so that the store need
//! not keep it.
//!
//! Sealed text shows nothing and cannot be changed: synthetic IV (RFC 5297 in shape),
//! with HMAC-SHA-256 as the only primitive. Equal values seal to equal texts.
//!
//! The key is made once and kept, so that any instance opens what another one sealed. If
//! two instances make it at once, the later one stays: what was sealed with the other
//! is refused, and the client asks anew.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::Context;
use crate::ports::{Bucket, StoreError};
use crate::secret::Secret;
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};

/// The length of the synthetic IV, which is also what a forger must guess.
const IV: usize = 16;
/// No sealed text is longer: the longest user id and scope leave room.
const LONGEST: usize = 4_096;

#[derive(Serialize, Deserialize)]
pub(crate) struct SealKey {
    key: Secret,
}

impl Stored for SealKey {
    const KIND: Kind = Kind::RequestStateSeal;
    const VERSION: u32 = 1;
}

/// The key: 256 random bits in base64. The caller uses the text's bytes as they are.
pub fn seal_key(cx: Context<'_>) -> Result<Secret, StoreError> {
    let name = Key::RequestStateSeal.to_string();
    let kept = || codec::read::<SealKey>(cx, Bucket::Store, &name);
    if let Some(SealKey { key }) = kept()? {
        return Ok(key);
    }
    let made = made(cx);
    cx.ports.set(Bucket::Store, &name, &codec::encode(&made))?;
    Ok(kept()?.unwrap_or(made).key)
}

fn made(cx: Context<'_>) -> SealKey {
    let mut bytes = [0; 32];
    cx.ports.random_bytes(&mut bytes);
    SealKey { key: Secret::new(STANDARD.encode(bytes)) }
}

/// Seals and opens values for one purpose. Text of another purpose does not open.
pub(super) struct Seal {
    key: Secret,
    purpose: &'static str,
}

impl Seal {
    pub(super) fn new(cx: Context<'_>, purpose: &'static str) -> Result<Self, StoreError> {
        Ok(Self { key: seal_key(cx)?, purpose })
    }

    /// The sealed text of `value`: safe in a URL and in a cookie.
    pub(super) fn seal(&self, value: &impl Serialize) -> String {
        let mut text = serde_json::to_vec(value).expect("sealed values have string keys and no failing parts");
        let iv = self.iv(&text);
        self.mask(&iv, &mut text);
        URL_SAFE_NO_PAD.encode([&iv[..], &text[..]].concat())
    }

    /// The value of a text that [`Seal::seal`] made.
    pub(super) fn open<T: DeserializeOwned>(&self, text: &str) -> Option<T> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|_| text.len() <= LONGEST)?;
        let (iv, sealed) = bytes.split_at_checked(IV)?;
        let mut opened = sealed.to_vec();
        self.mask(iv, &mut opened);
        self.mac("iv", &opened).verify_truncated_left(iv).ok()?;
        serde_json::from_slice(&opened).ok()
    }

    /// A secret that belongs to `text`: the same for each call, and nobody else can
    /// compute it.
    pub(super) fn derive(&self, role: &str, text: &str) -> [u8; 32] {
        self.mac(role, text.as_bytes()).finalize().into_bytes().into()
    }

    fn iv(&self, text: &[u8]) -> [u8; IV] {
        let whole = self.mac("iv", text).finalize().into_bytes();
        whole[..IV].try_into().expect("a MAC of SHA-256 is longer")
    }

    fn mask(&self, iv: &[u8], text: &mut [u8]) {
        for (number, block) in (0_u32..).zip(text.chunks_mut(32)) {
            let stream = self.mac("stream", &[iv, &number.to_be_bytes()].concat()).finalize().into_bytes();
            block.iter_mut().zip(stream).for_each(|(byte, mask)| *byte ^= mask);
        }
    }

    /// Each purpose and role has a key of its own.
    fn mac(&self, role: &str, bytes: &[u8]) -> Hmac<Sha256> {
        let of = |key: &[u8], bytes: &[u8]| {
            let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
            mac.chain_update(bytes)
        };
        let own = of(self.key.expose().as_bytes(), format!("kroger-mcp {}/{role}", self.purpose).as_bytes());
        of(&own.finalize().into_bytes(), bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::testing::TestWorld;

    #[test]
    fn the_key_is_made_once_and_kept() {
        let (settings, world) = (Settings::from_variables([]).unwrap(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };

        assert_eq!(seal_key(cx).unwrap(), seal_key(cx).unwrap());
    }

    #[test]
    fn sealed_text_shows_nothing_and_opens_only_whole_and_for_its_purpose() {
        let (settings, world) = (Settings::from_variables([]).unwrap(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        let (seal, other) = (Seal::new(cx, "state").unwrap(), Seal::new(cx, "invitation").unwrap());
        let value = "canary ".repeat(20);

        let sealed = seal.seal(&value);

        assert_eq!(seal.open::<String>(&sealed), Some(value.clone()));
        assert_eq!(other.open::<String>(&sealed), None);
        let shown = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        assert!(!String::from_utf8_lossy(&shown).contains("canary"));
        for place in 0..shown.len() {
            let mut changed = shown.clone();
            changed[place] ^= 1;
            assert_eq!(seal.open::<String>(&URL_SAFE_NO_PAD.encode(&changed)), None, "{place}");
            assert_eq!(seal.open::<String>(&URL_SAFE_NO_PAD.encode(&shown[..place])), None, "{place}");
        }
        assert_eq!(seal.open::<String>(&"A".repeat(LONGEST + 4)), None);
    }
}
