//! How long a request for tokens took, and so when its token expires.

use std::time::Duration;

use crate::Context;
use crate::ports::Timestamp;

/// Started when a request for tokens leaves.
pub struct Stopwatch {
    monotonic: Duration,
    wall: Timestamp,
}

impl Stopwatch {
    pub fn start(cx: Context<'_>) -> Self {
        Self { monotonic: cx.ports.monotonic_now(), wall: cx.ports.wall_now() }
    }

    pub fn elapsed(&self, cx: Context<'_>) -> Duration {
        cx.ports.monotonic_now().saturating_sub(self.monotonic)
    }

    /// When a token with `lifetime`, received now, expires: counted from the
    /// start, or back from now, whichever is earlier. The monotonic clock may
    /// stand still while the machine is suspended, and the other may be set.
    pub fn expiry(&self, cx: Context<'_>, lifetime: Duration) -> Timestamp {
        let by_now = cx.ports.wall_now() + lifetime.saturating_sub(self.elapsed(cx));
        by_now.min(self.wall + lifetime)
    }
}
