//! The tries at refreshing one grant, and what to do next. Reads no clock and no store.
//!
//! The tries follow `store::claim`. An owner stores an `Intent` before it
//! sends, and an `Attempt` after it failed. A success is the child grant itself.
//! Nothing here sends.

use serde::{Deserialize, Serialize};

use crate::CLOCK_SKEW;
use crate::ports::Timestamp;
use crate::secret::Fingerprint;
use crate::store::claim::{self, Leased, next_number};
use crate::store::codec::Stored;
use crate::store::keys::Kind;
use crate::store::ticket::Ticket;

/// Stored before the token is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// The ticket under which the child will be stored.
    pub(crate) ticket: Ticket,
    /// Until when nobody else should try.
    pub(crate) lease_until: Timestamp,
}

impl Leased for Intent {
    fn lease_until(&self) -> Timestamp {
        self.lease_until
    }
}

/// Stored when a try did not give a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) outcome: AttemptOutcome,
    pub(crate) at: Timestamp,
    /// The end of the pause before the next try.
    pub(crate) not_before: Timestamp,
    /// The token that was sent, or was to be sent. None: an older version wrote this.
    #[serde(default)]
    pub(crate) token: Option<Fingerprint>,
    /// The credentials that it was sent with. None: an older version wrote this.
    #[serde(default)]
    pub(crate) client: Option<Fingerprint>,
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
pub enum AttemptOutcome {
    /// Kroger refused the refresh token: final, while there is no child.
    Refused,
    /// Kroger refused the app's credentials.
    ClientRefused,
    /// Kroger refused the request for another reason.
    RequestRefused,
    /// The request was not sent.
    NotSent,
    /// 429: it was not processed.
    Busy,
    /// 408 or 5xx: it may have been processed.
    Failed,
    /// The request was sent, and no answer came that can be understood.
    Unknown,
}

impl AttemptOutcome {
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

    /// Whether Kroger may have spent the token without our learning of it.
    fn may_have_spent(self) -> bool {
        matches!(self, Self::Failed | Self::Unknown)
    }
}

/// A claimed try at refreshing, as far as its owner came.
pub(crate) type Try = claim::Try<Intent, Attempt>;

/// What the tries so far call for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nobody is refreshing: claim this try.
    Claim { number: u64 },
    /// This try was claimed and has no intent yet: its owner is alive or dead.
    Claimed { number: u64 },
    /// An owner is sending.
    InFlight,
    /// The last try failed at `since`; the next is not due yet.
    Pause { since: Timestamp, until: Timestamp, last: AttemptOutcome },
    /// The token was refused: a person must sign in again.
    Refused { probably_spent: bool },
}

/// The next step, given all tries of one grant in order.
pub(crate) fn next_step(tries: &[Try], now: Timestamp) -> Step {
    let Some(last) = tries.last() else { return Step::Claim { number: 1 } };
    if tries.iter().any(|each| each.is_in_flight(now)) {
        return Step::InFlight;
    }
    if tries.iter().any(Try::was_refused) {
        return Step::Refused { probably_spent: tries.iter().any(Try::may_have_spent) };
    }
    match &last.conclusion {
        Some(attempt) if attempt.is_pausing(now) => {
            Step::Pause { since: attempt.at, until: attempt.not_before, last: attempt.outcome }
        }
        _ if last.is_silent() => Step::Claimed { number: last.number },
        _ => Step::Claim { number: next_number(tries) },
    }
}

impl Try {
    /// What this try says of a grant with `token`, for an app with the credentials
    /// `client`.
    ///
    /// Where two pairs were adopted at one moment, the other pair may have been
    /// sent. That says nothing of this pair. The refusal of credentials that were
    /// corrected since says nothing either.
    #[must_use]
    pub(crate) fn about(mut self, token: Option<&Fingerprint>, client: Option<&Fingerprint>) -> Self {
        if let Some(attempt) = &mut self.conclusion
            && attempt.is_about_another(token, client)
        {
            *attempt = Attempt { outcome: AttemptOutcome::NotSent, not_before: attempt.at, ..attempt.clone() };
        }
        self
    }

    pub(crate) fn was_refused(&self) -> bool {
        self.conclusion.as_ref().is_some_and(|attempt| attempt.outcome == AttemptOutcome::Refused)
    }

    /// An owner that vanished after its intent may have sent.
    pub(crate) fn may_have_spent(&self) -> bool {
        match &self.conclusion {
            Some(attempt) => attempt.outcome.may_have_spent(),
            None => self.intent.is_some(),
        }
    }
}

impl Attempt {
    fn is_about_another(&self, token: Option<&Fingerprint>, client: Option<&Fingerprint>) -> bool {
        let is_another = |said: &Option<Fingerprint>, now| said.is_some() && said.as_ref() != now;
        is_another(&self.token, token)
            || (self.outcome == AttemptOutcome::ClientRefused && is_another(&self.client, client))
    }

    /// Whether the pause still lasts. A pause that begins in the future does not count:
    /// a clock was set.
    fn is_pausing(&self, now: Timestamp) -> bool {
        now < self.not_before && self.at <= now + CLOCK_SKEW
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::secret::Secret;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn claimed(number: u64) -> Try {
        Try { number, intent: None, conclusion: None }
    }

    fn sending(number: u64, lease_until: u64) -> Try {
        let intent = Intent { ticket: Ticket::UNSTORED, lease_until: Timestamp::from_secs(lease_until) };
        Try { intent: Some(intent), ..claimed(number) }
    }

    fn ended(number: u64, outcome: AttemptOutcome, not_before: u64) -> Try {
        let not_before = Timestamp::from_secs(not_before);
        let attempt = Attempt { outcome, at: NOW, not_before, token: None, client: None };
        Try { conclusion: Some(attempt), ..sending(number, 1_010) }
    }

    #[test]
    fn each_state_has_its_one_next_step() {
        let cases = [
            (vec![], Step::Claim { number: 1 }),
            (vec![claimed(1)], Step::Claimed { number: 1 }),
            (vec![sending(1, 1_010)], Step::InFlight),
            (vec![sending(1, 1_000)], Step::Claim { number: 2 }),
            (
                vec![ended(1, AttemptOutcome::Busy, 1_005)],
                Step::Pause { since: NOW, until: Timestamp::from_secs(1_005), last: AttemptOutcome::Busy },
            ),
            (vec![ended(1, AttemptOutcome::Busy, 1_000)], Step::Claim { number: 2 }),
            (vec![ended(1, AttemptOutcome::Refused, 1_000)], Step::Refused { probably_spent: false }),
            (
                vec![ended(1, AttemptOutcome::Failed, 0), ended(2, AttemptOutcome::Refused, 0)],
                Step::Refused { probably_spent: true },
            ),
            (vec![sending(1, 900), ended(2, AttemptOutcome::Refused, 0)], Step::Refused { probably_spent: true }),
            (vec![claimed(1), ended(2, AttemptOutcome::Refused, 0)], Step::Refused { probably_spent: false }),
            (vec![claimed(1), claimed(2)], Step::Claimed { number: 2 }),
        ];
        for (tries, step) in cases {
            assert_eq!(next_step(&tries, NOW), step, "{tries:?}");
        }
    }

    #[test]
    fn no_refusal_is_told_while_another_try_is_in_flight() {
        let tries = [sending(1, 1_010), ended(2, AttemptOutcome::Refused, 0)];

        assert_eq!(next_step(&tries, NOW), Step::InFlight);
    }

    #[test]
    fn a_refusal_of_another_pair_says_nothing_of_this_one() {
        let [ours, others] = ["ours", "others"].map(|token| Secret::new(token).fingerprint());
        let mut refused = ended(1, AttemptOutcome::Refused, 1_000);
        refused.conclusion.as_mut().unwrap().token = Some(others.clone());

        assert_eq!(next_step(&[refused.clone().about(Some(&ours), None)], NOW), Step::Claim { number: 2 });
        assert_eq!(next_step(&[refused.about(Some(&others), None)], NOW), Step::Refused { probably_spent: false });
    }

    #[test]
    fn a_refusal_of_corrected_credentials_causes_no_wait() {
        let [wrong, right] = ["wrong", "right"].map(|client| Secret::new(client).fingerprint());
        let mut refused = ended(1, AttemptOutcome::ClientRefused, 1_030);
        refused.conclusion.as_mut().unwrap().client = Some(wrong.clone());

        assert_eq!(next_step(&[refused.clone().about(None, Some(&right))], NOW), Step::Claim { number: 2 });
        assert!(matches!(next_step(&[refused.about(None, Some(&wrong))], NOW), Step::Pause { .. }));
    }

    #[test]
    fn a_clock_that_was_ahead_locks_nothing() {
        assert_eq!(next_step(&[sending(1, 1_051)], NOW), Step::Claim { number: 2 });
        assert_eq!(
            next_step(&[ended(1, AttemptOutcome::Unknown, 1_005)], NOW - Duration::from_secs(31)),
            Step::Claim { number: 2 }
        );
    }

    #[test]
    fn a_lease_counts_for_a_reader_whose_clock_is_a_little_behind() {
        assert_eq!(next_step(&[sending(1, 1_021)], NOW), Step::InFlight);
    }
}
