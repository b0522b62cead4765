//! How long a link to sign in works.

use std::time::Duration;

use crate::Context;
use crate::ports::Timestamp;

/// How long the user may take to agree.
pub const LIFETIME: Duration = Duration::from_secs(600);
/// The age at which a link is over for every process, however wrong its clock and
/// however slow it is.
pub(super) const LONG_OVER: Duration = Duration::from_secs(2 * LIFETIME.as_secs());

/// True if a link that was made at `started_at` does not work any more, or not yet.
pub(super) fn is_expired(cx: Context<'_>, started_at: Timestamp) -> bool {
    let now = cx.ports.wall_now();
    now >= started_at + LIFETIME || now + LIFETIME < started_at
}

/// True if a link that was made at `started_at` is over for every process.
pub(super) fn is_long_over(cx: Context<'_>, started_at: Timestamp) -> bool {
    let now = cx.ports.wall_now();
    now.since(started_at).max(started_at.since(now)) >= LONG_OVER
}

/// The lifetime in minutes, for people to read.
pub fn minutes() -> u64 {
    LIFETIME.as_secs() / 60
}
