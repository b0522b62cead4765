//! Reads the monotonic clock of WASI. Never waits.

use std::time::Duration;

use super::bindings::wasi::clocks::monotonic_clock;

pub(super) fn monotonic_now() -> Duration {
    Duration::from_nanos(monotonic_clock::now())
}

/// Converts `duration` to nanoseconds, the unit of WASI.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
