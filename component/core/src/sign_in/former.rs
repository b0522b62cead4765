//! What version 0.1.0 kept of a sign-in under way. A process of that version may share the
//! store, so its records live as long as it needs them.

use serde::Deserialize;

use crate::Context;
use crate::ports::{Bucket, StoreError, Timestamp};
use crate::sign_in::lifetime::is_long_over;
use crate::store::keys::Key;

#[derive(Deserialize)]
struct Begun {
    started_at: Timestamp,
}

/// True if the sweep may delete the record of `key`.
pub(crate) fn is_over(cx: Context<'_>, key: &Key) -> Result<bool, StoreError> {
    let Some(bytes) = cx.ports.get(Bucket::Store, &key.to_string())? else { return Ok(false) };
    let begun: Begun = serde_json::from_slice(&bytes).map_err(|_| StoreError::Failed)?;
    Ok(is_long_over(cx, begun.started_at))
}

/// True if the sweep may delete the counter of the sign-in that was at `place`.
pub(crate) fn is_used_over(cx: Context<'_>, place: u64) -> Result<bool, StoreError> {
    Ok(cx.ports.get(Bucket::Store, &Key::SignIn { place }.to_string())?.is_none())
}
