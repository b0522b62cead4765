//! The tries at refreshing one grant, and what to do next. Pure.
//!
//! A try is claimed by raising a counter to 1, which one caller achieves; its
//! owner stores an [`Intent`] before it sends and an [`Attempt`] after it failed
//! (success is the child grant itself). A try whose owner vanished shows by what
//! is missing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::CLOCK_SKEW;
use crate::ports::Timestamp;
use crate::secret::Fingerprint;
use crate::store::codec::Stored;
use crate::store::keys::Kind;
use crate::store::ticket::Ticket;

/// How long an owner may take from intent to outcome, by everyone's clock.
pub const LEASE: Duration = Duration::from_secs(20);
/// An owner that has not come to send by then gives up.
pub const CLAIM_LIFE: Duration = Duration::from_secs(2);
/// Others take a claim without an intent for dead after this.
pub const CLAIM_DEATH: Duration = Duration::from_secs(5);
/// The longest pause between tries, whatever the peer asks for: one try in five
/// minutes burdens nobody, and may be what keeps a person from having to wait.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Stored before the token is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The ticket under which the child will be stored.
    pub ticket: Ticket,
    /// Until when nobody else should try.
    pub lease_until: Timestamp,
}

/// Stored when a try did not give a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub outcome: Outcome,
    pub at: Timestamp,
    /// No other try before this.
    pub not_before: Timestamp,
    /// What was sent, or was to be. None: written by a version that did not say.
    #[serde(default)]
    pub token: Option<Fingerprint>,
    /// Whose credentials it was sent with. None: likewise.
    #[serde(default)]
    pub client: Option<Fingerprint>,
}

impl Stored for Intent {
    const KIND: Kind = Kind::Intent;
    const VERSION: u32 = 1;
}

impl Stored for Attempt {
    const KIND: Kind = Kind::Attempt;
    const VERSION: u32 = 1;
}

/// How a try ended that did not give a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Kroger refused the refresh token: final, while there is no child.
    Refused,
    /// Kroger refused the app's credentials.
    ClientRefused,
    /// Kroger refused the request for another reason.
    RequestRefused,
    /// It never left.
    NotSent,
    /// 429: it was not processed.
    Busy,
    /// 408 or 5xx: it may have been processed.
    Failed,
    /// Sent, and no answer that can be understood.
    Unknown,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::ClientRefused => "client_refused",
            Self::RequestRefused => "request_refused",
            Self::NotSent => "not_sent",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// For an operator, after "the last refresh failed:".
    pub fn words(self) -> &'static str {
        match self {
            Self::Refused => "Kroger refused the refresh token",
            Self::ClientRefused => "Kroger refused the app's credentials",
            Self::RequestRefused => "Kroger refused the request",
            Self::NotSent => "Kroger could not be reached",
            Self::Busy => "Kroger asked for fewer calls",
            Self::Failed => "Kroger's server had trouble",
            Self::Unknown => "no answer of Kroger's came",
        }
    }

    /// Whether Kroger may have spent the token without our learning of it.
    fn may_have_spent(self) -> bool {
        matches!(self, Self::Failed | Self::Unknown)
    }
}

/// A claimed try, as far as its owner got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Try {
    /// 1, 2, 3, …
    pub number: u64,
    pub intent: Option<Intent>,
    pub attempt: Option<Attempt>,
}

/// What the tries so far call for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nobody is at it: claim this try.
    Claim { number: u64 },
    /// This try was claimed and has no intent yet: alive or dead.
    Claimed { number: u64 },
    /// Somebody is sending.
    InFlight,
    /// The last try failed at `since`; the next is not due yet.
    Pause { since: Timestamp, until: Timestamp, last: Outcome },
    /// The token was refused: a person must sign in again.
    Refused { probably_spent: bool },
}

/// The next step, given all tries of one grant in order.
pub fn next_step(tries: &[Try], now: Timestamp) -> Step {
    let Some(last) = tries.last() else { return Step::Claim { number: 1 } };
    if tries.iter().any(|each| each.is_in_flight(now)) {
        return Step::InFlight;
    }
    if tries.iter().any(Try::was_refused) {
        return Step::Refused { probably_spent: tries.iter().any(Try::may_have_spent) };
    }
    match (&last.intent, &last.attempt) {
        (_, Some(attempt)) if attempt.is_pausing(now) => {
            Step::Pause { since: attempt.at, until: attempt.not_before, last: attempt.outcome }
        }
        (None, None) => Step::Claimed { number: last.number },
        (_, Some(_)) | (Some(_), None) => Step::Claim { number: last.number + 1 },
    }
}

impl Try {
    /// What this says of a grant with `token`, for an app with the credentials
    /// `client`. Where two pairs were adopted at one moment another one may have been
    /// sent, and that says nothing of this one; nor does the refusal of credentials
    /// that have been corrected since.
    #[must_use]
    pub fn about(mut self, token: Option<&Fingerprint>, client: Option<&Fingerprint>) -> Self {
        let is_another = |said: &Option<Fingerprint>, now| said.is_some() && said.as_ref() != now;
        if let Some(attempt) = &mut self.attempt
            && (is_another(&attempt.token, token)
                || (attempt.outcome == Outcome::ClientRefused && is_another(&attempt.client, client)))
        {
            *attempt = Attempt { outcome: Outcome::NotSent, not_before: attempt.at, ..attempt.clone() };
        }
        self
    }

    /// A lease counts only if it ends between now and little more than one lease
    /// ahead: a clock that stepped must not lock a grant.
    fn is_in_flight(&self, now: Timestamp) -> bool {
        let Some(intent) = &self.intent else { return false };
        self.attempt.is_none() && now < intent.lease_until && intent.lease_until <= now + LEASE + CLOCK_SKEW
    }

    pub fn was_refused(&self) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| attempt.outcome == Outcome::Refused)
    }

    /// Whether its owner may yet come back with a child, for all that is stored.
    pub fn is_open(&self) -> bool {
        self.intent.is_some() && self.attempt.is_none()
    }

    /// An owner that vanished after its intent may have sent.
    pub fn may_have_spent(&self) -> bool {
        match &self.attempt {
            Some(attempt) => attempt.outcome.may_have_spent(),
            None => self.intent.is_some(),
        }
    }
}

impl Attempt {
    /// A pause that began in the future is a stepped clock's.
    fn is_pausing(&self, now: Timestamp) -> bool {
        now < self.not_before && self.at <= now + CLOCK_SKEW
    }
}

/// The pause after try `number`: exponential, up to five minutes, with full
/// jitter (`random`, 0 to 1), and no shorter than what the peer asked for.
pub fn pause(number: u64, asked_for: Option<Duration>, random: f64) -> Duration {
    const FIRST: Duration = Duration::from_millis(500);
    let doublings = u32::try_from(number.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    let bound = FIRST.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    bound.mul_f64(random).max(asked_for.unwrap_or_default()).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn claimed(number: u64) -> Try {
        Try { number, intent: None, attempt: None }
    }

    fn sending(number: u64, lease_until: u64) -> Try {
        let intent = Intent { ticket: Ticket::UNSTORED, lease_until: Timestamp::from_secs(lease_until) };
        Try { intent: Some(intent), ..claimed(number) }
    }

    fn ended(number: u64, outcome: Outcome, not_before: u64) -> Try {
        let not_before = Timestamp::from_secs(not_before);
        let attempt = Attempt { outcome, at: NOW, not_before, token: None, client: None };
        Try { attempt: Some(attempt), ..sending(number, 1_010) }
    }

    #[test]
    fn each_state_has_its_one_next_step() {
        let cases = [
            (vec![], Step::Claim { number: 1 }),
            (vec![claimed(1)], Step::Claimed { number: 1 }),
            (vec![sending(1, 1_010)], Step::InFlight),
            (vec![sending(1, 1_000)], Step::Claim { number: 2 }),
            (
                vec![ended(1, Outcome::Busy, 1_005)],
                Step::Pause { since: NOW, until: Timestamp::from_secs(1_005), last: Outcome::Busy },
            ),
            (vec![ended(1, Outcome::Busy, 1_000)], Step::Claim { number: 2 }),
            (vec![ended(1, Outcome::Refused, 1_000)], Step::Refused { probably_spent: false }),
            (vec![ended(1, Outcome::Failed, 0), ended(2, Outcome::Refused, 0)], Step::Refused { probably_spent: true }),
            (vec![sending(1, 900), ended(2, Outcome::Refused, 0)], Step::Refused { probably_spent: true }),
            (vec![claimed(1), ended(2, Outcome::Refused, 0)], Step::Refused { probably_spent: false }),
            (vec![claimed(1), claimed(2)], Step::Claimed { number: 2 }),
        ];
        for (tries, step) in cases {
            assert_eq!(next_step(&tries, NOW), step, "{tries:?}");
        }
    }

    #[test]
    fn a_refusal_is_not_told_while_another_try_is_still_in_flight() {
        let tries = [sending(1, 1_010), ended(2, Outcome::Refused, 0)];

        assert_eq!(next_step(&tries, NOW), Step::InFlight);
    }

    #[test]
    fn a_refusal_of_another_pair_says_nothing_of_this_one() {
        let [ours, others] = ["ours", "others"].map(|token| Secret::new(token).fingerprint());
        let mut refused = ended(1, Outcome::Refused, 1_000);
        refused.attempt.as_mut().unwrap().token = Some(others.clone());

        assert_eq!(next_step(&[refused.clone().about(Some(&ours), None)], NOW), Step::Claim { number: 2 });
        assert_eq!(next_step(&[refused.about(Some(&others), None)], NOW), Step::Refused { probably_spent: false });
    }

    #[test]
    fn a_refusal_of_credentials_that_were_corrected_since_keeps_nobody_waiting() {
        let [wrong, right] = ["wrong", "right"].map(|client| Secret::new(client).fingerprint());
        let mut refused = ended(1, Outcome::ClientRefused, 1_030);
        refused.attempt.as_mut().unwrap().client = Some(wrong.clone());

        assert_eq!(next_step(&[refused.clone().about(None, Some(&right))], NOW), Step::Claim { number: 2 });
        assert!(matches!(next_step(&[refused.about(None, Some(&wrong))], NOW), Step::Pause { .. }));
    }

    #[test]
    fn a_lease_or_a_pause_from_a_clock_that_was_ahead_locks_nothing() {
        assert_eq!(next_step(&[sending(1, 1_051)], NOW), Step::Claim { number: 2 });
        assert_eq!(
            next_step(&[ended(1, Outcome::Unknown, 1_005)], NOW - Duration::from_secs(31)),
            Step::Claim { number: 2 }
        );
    }

    #[test]
    fn a_lease_counts_for_a_reader_whose_clock_is_a_little_behind() {
        assert_eq!(next_step(&[sending(1, 1_021)], NOW), Step::InFlight);
    }

    #[test]
    fn pauses_grow_are_bounded_and_respect_the_peer() {
        assert_eq!(pause(1, None, 1.0), Duration::from_millis(500));
        assert_eq!(pause(3, None, 1.0), Duration::from_secs(2));
        assert_eq!(pause(60, None, 1.0), Duration::from_secs(300));
        assert_eq!(pause(60, None, 0.0), Duration::ZERO);
        assert_eq!(pause(1, Some(Duration::from_secs(7)), 0.5), Duration::from_secs(7));
        assert_eq!(pause(1, Some(Duration::from_secs(3_600)), 0.5), Duration::from_secs(300));
    }
}
