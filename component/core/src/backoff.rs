//! How long to pause between two tries at one call to Kroger. Reads no clock and no
//! store, and never sleeps. [`pause`] draws a random number.

use std::time::Duration;

use crate::Context;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause between tries, whatever the peer asks for. One try in five
/// minutes burdens nobody, and it may keep a person from having to wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The pause after try `number`: exponential, with full jitter. It is at least what
/// the peer asked for, and never over five minutes, whatever the peer asked for.
pub(crate) fn pause(cx: Context<'_>, number: u64, asked_for: Option<Duration>) -> Duration {
    jittered(number, asked_for, random(cx))
}

fn jittered(number: u64, asked_for: Option<Duration>, random: f64) -> Duration {
    let doublings = u32::try_from(number.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    let bound = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    bound.mul_f64(random).max(asked_for.unwrap_or_default()).min(LONGEST_PAUSE)
}

/// A random number from 0 to 1.
pub(crate) fn random(cx: Context<'_>) -> f64 {
    let mut bytes = [0; 4];
    cx.ports.random_bytes(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_bounded_and_respect_the_peer() {
        assert_eq!(jittered(1, None, 1.0), Duration::from_millis(500));
        assert_eq!(jittered(3, None, 1.0), Duration::from_secs(2));
        assert_eq!(jittered(60, None, 1.0), Duration::from_secs(300));
        assert_eq!(jittered(60, None, 0.0), Duration::ZERO);
        assert_eq!(jittered(1, Some(Duration::from_secs(7)), 0.5), Duration::from_secs(7));
        assert_eq!(jittered(1, Some(Duration::from_secs(3_600)), 0.5), Duration::from_secs(300));
    }
}
