//! Reads the system clock for the whole crate.
//!
//! The rules never call it: they take `now` as a parameter.

use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Returns the time now in milliseconds since 1970, as Kroger's error bodies give it.
pub(crate) fn timestamp() -> u64 {
    let since_epoch = now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_millis().try_into().unwrap_or(u64::MAX)
}

/// Counts the whole seconds from `now` until `then`.
///
/// Rounds up, so that a fresh token reports its full lifetime.
pub(crate) fn seconds_until(now: SystemTime, then: SystemTime) -> u64 {
    let left = then.duration_since(now).unwrap_or_default();
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}
