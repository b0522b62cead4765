//! The key that seals what a client carries between two calls.
//!
//! It is made once and kept, so that any instance opens what another one sealed. If
//! two instances make it at once, the later one stays: what was sealed with the other
//! is refused, and the client asks anew.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::Context;
use crate::ports::{Bucket, StoreError};
use crate::secret::Secret;
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};

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
    let kept: Option<SealKey> = codec::read(cx, Bucket::Store, &name)?;
    if let Some(SealKey { key }) = kept {
        return Ok(key);
    }
    let made = made(cx);
    cx.ports.set(Bucket::Store, &name, &codec::encode(&made))?;
    Ok(made.key)
}

fn made(cx: Context<'_>) -> SealKey {
    let mut bytes = [0; 32];
    cx.ports.random_bytes(&mut bytes);
    SealKey { key: Secret::new(STANDARD.encode(bytes)) }
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
}
