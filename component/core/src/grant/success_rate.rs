//! The measured success rate: of the token lifetimes that ended in the last 24
//! hours, how many had a fresh token at their end. Counted per hour.

use crate::Context;
use crate::ports::{Event, StoreError, Timestamp};
use crate::store::keys::Key;

const HOURS: u64 = 24;
/// Nobody reads a count that is older.
const SWEPT_AFTER_HOURS: u64 = HOURS + 1;

/// How a token lifetime ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// A fresh token was there before the old one expired.
    Kept,
    /// No fresh token was there in time: the refresh was late, or was refused.
    Lost,
}

pub(crate) fn hour(at: Timestamp) -> u64 {
    at.as_secs() / 3_600
}

fn count_key(hour: u64, lifetime: Lifetime) -> String {
    match lifetime {
        Lifetime::Kept => Key::KeptLifetimes { hour }.to_string(),
        Lifetime::Lost => Key::LostLifetimes { hour }.to_string(),
    }
}

pub(crate) fn count(cx: Context<'_>, lifetime: Lifetime) {
    if cx.ports.increment(&count_key(hour(cx.ports.wall_now()), lifetime), 1).is_err() {
        cx.ports.log(&Event::StoreTrouble { doing: "counting a token lifetime" });
    }
}

/// Whether nobody reads the counts of `hour` any more.
pub(crate) fn is_over(cx: Context<'_>, hour: u64) -> bool {
    hour < self::hour(cx.ports.wall_now()).saturating_sub(SWEPT_AFTER_HOURS)
}

/// What `success_rate` shows; none while there is nothing to measure.
pub fn text(cx: Context<'_>) -> Result<Option<String>, StoreError> {
    let now = hour(cx.ports.wall_now());
    let (mut kept, mut lost) = (0, 0);
    for hour in now.saturating_sub(HOURS)..=now {
        kept += cx.ports.increment(&count_key(hour, Lifetime::Kept), 0)?;
        lost += cx.ports.increment(&count_key(hour, Lifetime::Lost), 0)?;
    }
    Ok(wording(kept, kept + lost))
}

/// Tenths of a percent, rounded down: 100 % means all of them.
fn wording(kept: u64, all: u64) -> Option<String> {
    let tenths = (kept * 1_000).checked_div(all)?;
    Some(format!("{}.{}% ({kept} of {all} token lifetimes in {HOURS} h)", tenths / 10, tenths % 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_says_its_counts_and_its_window_and_never_rounds_up_to_all() {
        assert_eq!(wording(331, 332).unwrap(), "99.6% (331 of 332 token lifetimes in 24 h)");
        assert_eq!(wording(5, 5).unwrap(), "100.0% (5 of 5 token lifetimes in 24 h)");
        assert_eq!(wording(0, 0), None);
    }
}
