//! Measures a request for tokens, and computes when its token expires. Never waits.

use std::time::Duration;

use crate::Context;
use crate::ports::Timestamp;

/// A measurement that starts when a request for tokens leaves.
pub(crate) struct Stopwatch {
    monotonic: Duration,
    wall: Timestamp,
}

impl Stopwatch {
    pub(crate) fn start(cx: Context<'_>) -> Self {
        Self { monotonic: cx.ports.monotonic_now(), wall: cx.ports.wall_now() }
    }

    pub(crate) fn elapsed(&self, cx: Context<'_>) -> Duration {
        cx.ports.monotonic_now().saturating_sub(self.monotonic)
    }

    /// The expiry of a token that arrives now with `lifetime`.
    ///
    /// Computed from the wall time of the start, and from the time elapsed until
    /// now; the earlier counts. The monotonic clock may stop while the machine is
    /// suspended, and the wall clock may be set.
    pub(crate) fn expiry(&self, cx: Context<'_>, lifetime: Duration) -> Timestamp {
        let by_now = cx.ports.wall_now() + lifetime.saturating_sub(self.elapsed(cx));
        by_now.min(self.wall + lifetime)
    }
}
