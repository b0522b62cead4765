//! The wall clock, where it may be wrong.
//!
//! Libraries panic at a time before 1970: hyper and rustls at each connection. So a host does not start
//! then. If the clock leaps there later, connections are closed until it is set right.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasmtime_wasi::HostWallClock;

/// HTTP dates end with the year 9999.
const END: Duration = Duration::from_secs(253_402_300_800);

/// The time since 1970; `None` if the clock is before it, or after the year 9999.
pub(crate) fn since_1970() -> Option<Duration> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().filter(|since| *since < END)
}

/// The clock of the guest. A time before 1970 counts as 1970.
pub(crate) struct Saturating;

impl HostWallClock for Saturating {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        since_1970().unwrap_or_default()
    }
}
