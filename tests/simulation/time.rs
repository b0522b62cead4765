//! True time and its units. A process never sees it; it sees its machine's clocks.

/// Microseconds since the start of the run.
pub(crate) type Time = u64;

pub(crate) const SECOND: Time = 1_000_000;
pub(crate) const MINUTE: Time = 60 * SECOND;
pub(crate) const HOUR: Time = 60 * MINUTE;
pub(crate) const DAY: Time = 24 * HOUR;
pub(crate) const YEAR: Time = 365 * DAY;

/// The time that a correct wall clock shows at the start of the run, in Unix milliseconds.
pub(crate) const EPOCH: u64 = 1_700_000_000_000;
