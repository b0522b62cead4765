//! Getting a grant whose access token is good, by refreshing it where needed.
//!
//! Kroger's refresh tokens are single use. A token that is sent twice, or an answer
//! that is not saved, costs the person their sign-in. So:
//! claim → ticket → read again → store the intent → read it back → check both
//! clocks → send once → save → use. The claim, the intent and the clocks are
//! `store::claim`'s. Safety rests on records that are written once by one
//! writer ([`crate::grant::lineage`]); claims and leases only save work.
//!
//! Nothing here ever repeats an `increment` whose answer was lost, sends a token
//! after it has read that Kroger refused it, or goes back to a token that was spent.

mod owner;

use std::time::Duration;

use crate::Context;
use crate::backoff::random;
use crate::grant::attempts::{self, AttemptOutcome, Step, Try};
use crate::grant::lineage::{Current, Grant};
use crate::grant::{busy, due, outside_pair, records};
use crate::ports::Timestamp;
use crate::store::claim::{self, Admission, LEASE, Watch};
use crate::store::ticket::Ticket;
use crate::user::{UserId, UserKey};
use owner::Owner;

use crate::grant::trouble::Trouble;

/// A call that waits for a refresh waits this long at most.
pub(crate) const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// The longest pause between tries that the timer waits through. Other users are due
/// too, and the timer comes again.
const PASS_PATIENCE: Duration = Duration::from_secs(2);
/// The part of a pause that a call waits through; see [`Need::earliest`].
const LONGEST_WAIT: Duration = Duration::from_secs(20);
const SHORTEST_POLL: Duration = Duration::from_millis(10);
const LONGEST_POLL: Duration = Duration::from_millis(250);

/// What a caller needs of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// An access token with some life left.
    Usable,
    /// A younger grant than the one with this ticket, whose token was rejected.
    /// Callers that ask at the same time share one refresh.
    NewerThanRejected(Ticket),
    /// A younger grant than this one, because a person asked for it.
    NewerThan(Ticket),
    /// What the timer needs: a grant outside its refresh window.
    NotDue,
}

/// Answers the user's grant as `need` has it, refreshing it first if it must.
pub fn grant(cx: Context<'_>, user: &UserId, need: Need) -> Result<Grant, Trouble> {
    grant_by(cx, user, need, cx.ports.monotonic_now() + CALL_DEADLINE)
}

/// The same as [`grant`], with a `deadline` by the monotonic clock. Nothing is begun
/// after the deadline. A try that was begun before is ended, which may take 17 s more.
pub(crate) fn grant_by(cx: Context<'_>, user: &UserId, need: Need, deadline: Duration) -> Result<Grant, Trouble> {
    let mut caller = Caller {
        cx,
        user: user.key(),
        need,
        deadline,
        poll: SHORTEST_POLL,
        silent_claim: Watch::default(),
        first_try: None,
        open_try: Watch::default(),
    };
    loop {
        let grant = find(cx, user)?;
        if need.is_met_by(&grant, cx) {
            return Ok(grant);
        }
        caller.check_deadline()?;
        if let Some(refreshed) = caller.advance(&grant)? {
            return Ok(refreshed);
        }
    }
}

/// The current grant, or a pair from outside where the store has nothing.
fn find(cx: Context<'_>, user: &UserId) -> Result<Grant, Trouble> {
    match records::current(cx, &user.key())? {
        Current::Grant(grant) => match grant.of_another(&cx.settings.app) {
            // Another server would refuse the token, and the grant would be taken for
            // dead.
            Some(other) => Err(Trouble::OfAnotherApp(other.clone())),
            None => Ok(grant),
        },
        other => outside_pair::adopt(cx, user, &other)?.ok_or(Trouble::NotSignedIn),
    }
}

impl Need {
    fn is_met_by(self, grant: &Grant, cx: Context<'_>) -> bool {
        let now = cx.ports.wall_now();
        let is_usable = grant.tokens.are_usable(now);
        match self {
            Self::Usable => is_usable,
            Self::NewerThan(ticket) | Self::NewerThanRejected(ticket) => is_usable && grant.ticket > ticket,
            Self::NotDue => now < due::refresh_at(cx, grant),
        }
    }

    /// The longest pause between tries that is worth waiting through.
    fn patience(self) -> Duration {
        match self {
            Self::NotDue => PASS_PATIENCE,
            Self::Usable | Self::NewerThan(_) | Self::NewerThanRejected(_) => CALL_DEADLINE,
        }
    }

    /// When the next try may be made. A person waits for a call, so a call cuts a pause
    /// short after [`LONGEST_WAIT`]. It keeps the whole pause if Kroger asked for fewer
    /// calls or refused the app's credentials.
    fn earliest(self, since: Timestamp, until: Timestamp, last: AttemptOutcome) -> Timestamp {
        match (self, last) {
            (Self::NotDue, _) | (_, AttemptOutcome::Busy | AttemptOutcome::ClientRefused) => until,
            _ => until.min(since + LONGEST_WAIT),
        }
    }

    fn why(self) -> &'static str {
        match self {
            Self::Usable => "expired",
            Self::NewerThanRejected(_) => "rejected",
            Self::NewerThan(_) => "forced",
            Self::NotDue => "due",
        }
    }
}

/// One call on its way through the protocol.
struct Caller<'a> {
    cx: Context<'a>,
    user: UserKey,
    need: Need,
    /// By the monotonic clock.
    deadline: Duration,
    poll: Duration,
    /// A claim without an intent: its parent and its number.
    silent_claim: Watch<(Ticket, u64)>,
    /// The first try at this grant that this call may count as its own.
    first_try: Option<(Ticket, u64)>,
    /// A refused grant with a try that was never concluded.
    open_try: Watch<Ticket>,
}

impl Caller<'_> {
    /// Takes the next step for `grant`. None: look again.
    fn advance(&mut self, grant: &Grant) -> Result<Option<Grant>, Trouble> {
        if grant.tokens.refresh_token.is_none() {
            return self.give_up(grant, &[], Trouble::NoRefreshToken);
        }
        if grant.ticket == Ticket::UNSTORED {
            return Err(Trouble::StoreForgets);
        }
        let asked_at = self.cx.ports.monotonic_now();
        let tries = records::tries(self.cx, grant)?;
        let next = claim::next_number(&tries);
        match attempts::next_step(&tries, self.cx.ports.wall_now()) {
            Step::Refused { probably_spent } => self.give_up(grant, &tries, Trouble::Refused { probably_spent }),
            Step::Pause { since, until, last } => match self.need.earliest(since, until, last) {
                until if self.cx.ports.wall_now() < until => self.pause(grant, next, until, last),
                _ => self.claim_unless_busy(grant, next),
            },
            Step::Claimed { number } if self.silent_claim.is_dead(self.cx, (grant.ticket, number), asked_at) => {
                self.claim_unless_busy(grant, next)
            }
            Step::Claim { number } => self.claim_unless_busy(grant, number),
            Step::Claimed { .. } | Step::InFlight => Ok(self.wait_a_little()),
        }
    }

    /// Ends with `trouble`, except in two cases: `grant` is no longer the current one,
    /// or a pair from outside can replace it. `tries` are those that were seen so far.
    fn give_up(&mut self, grant: &Grant, tries: &[Try], trouble: Trouble) -> Result<Option<Grant>, Trouble> {
        let was_open = tries.iter().any(Try::is_open);
        // Look once more: the failure must still be true when the caller is told.
        let current = records::current(self.cx, &self.user)?;
        if !current.is(grant) {
            return Ok(None);
        }
        if outside_pair::adoptable(self.cx, &grant.user_id, &current).is_none() {
            return Err(trouble);
        }
        let Some(pair) = outside_pair::find(self.cx, &grant.user_id, &current)? else { return Err(trouble) };
        // An owner that was stopped may still come back with a child, and a pair that
        // is adopted meanwhile outranks it. So only a pair that lives longer is taken.
        if was_open && pair.expires_at <= grant.tokens.expires_at.as_secs() {
            return Err(trouble);
        }
        let is_open = records::tries(self.cx, grant)?.iter().any(Try::is_open);
        if is_open && (!was_open || self.may_have_a_child(grant)) {
            return Ok(self.wait_a_little());
        }
        // A descendant of `grant` is stored before it is mirrored. If the pair is such a
        // descendant's, this look finds it.
        if records::is_current(self.cx, grant)? {
            outside_pair::take(self.cx, &grant.user_id, &current, pair)?;
        }
        Ok(None)
    }

    /// Whether the owner of an open try at `grant` may just be slow. Its lease ran out
    /// by a clock that may be wrong. That clock is good enough to allow another try. It
    /// is not good enough to adopt a pair from outside, which outranks a late child.
    fn may_have_a_child(&mut self, grant: &Grant) -> bool {
        let now = self.cx.ports.monotonic_now();
        now < self.open_try.since(grant.ticket, || now) + LEASE
    }

    fn wait_a_little(&mut self) -> Option<Grant> {
        self.sleep(self.poll.mul_f64(0.5 + 0.5 * random(self.cx)));
        self.poll = (self.poll * 2).min(LONGEST_POLL);
        None
    }

    /// Waits for the next try, if this call has tries and time left for it.
    fn pause(
        &mut self,
        grant: &Grant,
        next: u64,
        until: Timestamp,
        last: AttemptOutcome,
    ) -> Result<Option<Grant>, Trouble> {
        if last == AttemptOutcome::ClientRefused {
            return Err(Trouble::ClientRefused);
        }
        let own = next.saturating_sub(self.first_try_of(grant, next));
        // A call that made no try tells of the tries that failed before it.
        let tries = if own == 0 { next - 1 } else { own };
        if own >= self.cx.settings.max_refresh_retries.into() {
            return Err(Trouble::Unavailable { tries, until });
        }
        self.wait_until(until, tries)
    }

    /// Waits, a little at a time, if the need has the patience for all of it.
    fn wait_until(&self, until: Timestamp, tries: u64) -> Result<Option<Grant>, Trouble> {
        let wait = until.since(self.cx.ports.wall_now());
        let is_in_time = self.cx.ports.monotonic_now() + wait < self.deadline;
        if wait > self.need.patience() || !is_in_time {
            return Err(Trouble::Unavailable { tries, until });
        }
        self.sleep(wait.min(LONGEST_POLL));
        Ok(None)
    }

    /// The first try at this grant that counts for this call: `next`, the first
    /// time that it is asked.
    fn first_try_of(&mut self, grant: &Grant, next: u64) -> u64 {
        match self.first_try {
            Some((ticket, first)) if ticket == grant.ticket => first,
            _ => {
                self.first_try = Some((grant.ticket, next));
                next
            }
        }
    }

    fn sleep(&self, duration: Duration) {
        self.cx.ports.sleep(duration);
    }

    fn check_deadline(&self) -> Result<(), Trouble> {
        if self.cx.ports.monotonic_now() < self.deadline {
            return Ok(());
        }
        let until = self.cx.ports.wall_now() + LONGEST_POLL;
        Err(Trouble::Unavailable { tries: 0, until })
    }

    /// The timer's own refreshes wait while Kroger asks for fewer calls.
    fn claim_unless_busy(&mut self, grant: &Grant, number: u64) -> Result<Option<Grant>, Trouble> {
        if self.need == Need::NotDue
            && let Some(until) = busy::until(self.cx)
        {
            return self.wait_until(until, 1);
        }
        self.claim(grant, number)
    }

    /// Becomes the owner of try `number`, if nobody else is, and makes the try.
    fn claim(&mut self, grant: &Grant, number: u64) -> Result<Option<Grant>, Trouble> {
        let Some(client) = &self.cx.settings.client else { return Err(Trouble::ClientMissing) };
        self.first_try_of(grant, number);
        let owner = Owner::new(self.cx, &self.user, client, grant, number, self.need.why());
        match claim::admit(self.cx, &owner, number)? {
            Admission::Act(intent) => owner.send_once(intent.ticket, self.deadline),
            Admission::Lost => Ok(self.wait_a_little()),
            Admission::Withdrawn => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
