//! Links that were used: the first caller goes on. The key says when the mark is over, so
//! the sweep reads nothing.

use crate::Context;
use crate::ports::{StoreError, Timestamp};
use crate::secret::base32_sha256;
use crate::sign_in::lifetime::LONG_OVER;
use crate::store::keys::Key;

fn key(link: &str, started_at: Timestamp) -> String {
    let minute = (started_at + LONG_OVER).as_secs() / 60;
    Key::SignInUsed { minute, hash: base32_sha256(link) }.to_string()
}

/// Uses the `link` that was made at `started_at`. True for the first caller only.
pub(super) fn take(cx: Context<'_>, link: &str, started_at: Timestamp) -> Result<bool, StoreError> {
    Ok(cx.ports.increment(&key(link, started_at), 1)? == 1)
}

/// True if the `link` was used.
pub(super) fn is_used(cx: Context<'_>, link: &str, started_at: Timestamp) -> Result<bool, StoreError> {
    Ok(cx.ports.increment(&key(link, started_at), 0)? > 0)
}

/// True if the sweep may delete a mark of this minute.
pub(crate) fn is_over(cx: Context<'_>, minute: u64) -> bool {
    minute < cx.ports.wall_now().as_secs() / 60
}
