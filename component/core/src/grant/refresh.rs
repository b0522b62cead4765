//! Getting a grant whose access token is good, by refreshing it where needed.
//!
//! Kroger's refresh tokens are single use: one sent twice, or one whose
//! answer is not saved, costs the person their sign-in. So:
//! claim → ticket → read again → store the intent → read it back → check both
//! clocks → send once → save → use. Safety rests on records that are written
//! once by one writer ([`crate::grant::lineage`]); claims and leases only save work.
//!
//! Nothing here ever repeats an `increment` whose answer was lost, sends a token
//! that it read to be refused, or goes back to a token that was spent.

mod owner;

use std::time::Duration;

use crate::Context;
use crate::app::App;
use crate::grant::attempts::{self, CLAIM_DEATH, LEASE, Outcome, Step, Try};
use crate::grant::lineage::{Current, Grant};
use crate::grant::{due, outside_pair, records, tries};
use crate::ports::{StoreError, Timestamp};
use crate::store::ticket::Ticket;
use crate::upstream::busy;
use crate::user::{UserId, UserKey};
use owner::Owner;

/// A call that waits for a refresh waits this long at most.
pub const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// The timer comes again: it waits through no longer pause than this while
/// others are due.
const PASS_PATIENCE: Duration = Duration::from_secs(2);
/// Between two tries for calls.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// A new pair that the store and the memory refuse is offered for this long at
/// least.
pub const SAVE_TIME: Duration = Duration::from_secs(5);
const SHORTEST_POLL: Duration = Duration::from_millis(10);
const LONGEST_POLL: Duration = Duration::from_millis(250);

/// What a caller needs of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// An access token with some life left.
    Usable,
    /// A younger grant than the one with this ticket: its token was rejected.
    /// Callers that ask at the same time share one refresh.
    NewerThanRejected(Ticket),
    /// The same, because a person asked for it.
    NewerThan(Ticket),
    /// What the timer needs: a grant outside its refresh window.
    NotDue,
}

/// Why there is no such grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no grant.
    NotSignedIn,
    /// There is one without a refresh token, and its access token is no good.
    NoRefreshToken,
    /// Kroger refused the refresh token.
    Refused {
        probably_spent: bool,
    },
    /// It did not work out, after `tries`; worth another try then.
    Unavailable {
        tries: u64,
        until: Timestamp,
    },
    /// No client id is configured.
    ClientMissing,
    ClientRefused,
    /// Refreshed, and the new pair could be saved nowhere.
    Lost,
    Store,
    StoreForgets,
    /// The grant is of this app or server, and not of the one that is configured.
    OfAnotherApp(App),
}

impl From<StoreError> for Trouble {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

/// Answers the user's grant as `need` has it, refreshing it first if it must.
pub fn grant(cx: Context<'_>, user: &UserId, need: Need) -> Result<Grant, Trouble> {
    grant_by(cx, user, need, cx.ports.monotonic_now() + CALL_DEADLINE)
}

/// The same for a call that has other things to do: it begins nothing after
/// `deadline`, by the monotonic clock. A try that was begun before it is brought to
/// its end, which may take 17 s more.
pub fn grant_by(cx: Context<'_>, user: &UserId, need: Need, deadline: Duration) -> Result<Grant, Trouble> {
    let mut caller = Caller {
        cx,
        user: user.key(),
        need,
        deadline,
        poll: SHORTEST_POLL,
        silent_claim: None,
        first_try: None,
        open_since: None,
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
            // Sent to another server the token would be lost, and refused it would be
            // taken for dead.
            Some(other) => Err(Trouble::OfAnotherApp(other.clone())),
            None => Ok(grant),
        },
        other => outside_pair::adopt(cx, user, &other)?.ok_or(Trouble::NotSignedIn),
    }
}

fn is_still(current: &Current, grant: &Grant) -> bool {
    matches!(current, Current::Grant(now) if now.is_same(grant))
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

    /// When the next try may be made. A person waits for a call: it does not wait
    /// for all of a long pause, unless Kroger asks for fewer calls.
    fn earliest(self, since: Timestamp, until: Timestamp, last: Outcome) -> Timestamp {
        match (self, last) {
            (Self::NotDue, _) | (_, Outcome::Busy | Outcome::ClientRefused) => until,
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
    /// A claim without an intent, and since when we have seen it so.
    silent_claim: Option<(Ticket, u64, Duration)>,
    /// The first try of this grant that this call may count as its own.
    first_try: Option<(Ticket, u64)>,
    /// A refused grant with a try that was never concluded, and since when we
    /// have seen it so.
    open_since: Option<(Ticket, Duration)>,
}

impl Caller<'_> {
    /// Does the next thing there is to do about `grant`. None: look again.
    fn advance(&mut self, grant: &Grant) -> Result<Option<Grant>, Trouble> {
        if grant.tokens.refresh_token.is_none() {
            return self.give_up(grant, &[], Trouble::NoRefreshToken);
        }
        if grant.ticket == Ticket::UNSTORED {
            return Err(Trouble::StoreForgets);
        }
        let asked_at = self.cx.ports.monotonic_now();
        let tries = records::tries(self.cx, grant)?;
        let claimed = tries.last().map_or(0, |last| last.number);
        match attempts::next_step(&tries, self.cx.ports.wall_now()) {
            Step::Refused { probably_spent } => self.give_up(grant, &tries, Trouble::Refused { probably_spent }),
            Step::InFlight => Ok(self.wait_a_little()),
            Step::Pause { since, until, last } => match self.need.earliest(since, until, last) {
                until if self.cx.ports.wall_now() < until => self.pause(grant, claimed, until, last),
                _ => self.claim_unless_busy(grant, claimed + 1),
            },
            Step::Claimed { number } if self.seems_dead(grant.ticket, number, asked_at) => {
                self.claim_unless_busy(grant, number + 1)
            }
            Step::Claimed { .. } => Ok(self.wait_a_little()),
            Step::Claim { number } => self.claim_unless_busy(grant, number),
        }
    }

    /// Nothing can be done with `grant`: unless it is no longer the current one,
    /// or a pair lies outside that can take its place. `tries` are those seen so far.
    fn give_up(&mut self, grant: &Grant, tries: &[Try], trouble: Trouble) -> Result<Option<Grant>, Trouble> {
        let was_open = tries.iter().any(Try::is_open);
        // Last of all: what is told must be true when it is told.
        let current = records::current(self.cx, &self.user)?;
        if !is_still(&current, grant) {
            return Ok(None);
        }
        if outside_pair::adoptable(self.cx, &grant.user_id, &current).is_none() {
            return Err(trouble);
        }
        let Some(pair) = outside_pair::find(self.cx, &grant.user_id, &current)? else { return Err(trouble) };
        // Whoever was stopped may yet come back with a child, and a pair that was
        // adopted meanwhile would outrank it: only one that lives longer may.
        if was_open && pair.expires_at <= grant.tokens.expires_at.as_secs() {
            return Err(trouble);
        }
        let is_open = records::tries(self.cx, grant)?.iter().any(Try::is_open);
        if is_open && (!was_open || self.may_have_a_child(grant)) {
            return Ok(self.wait_a_little());
        }
        // What descends from `grant` is stored before it is mirrored: if the pair does,
        // this finds it.
        if is_still(&records::current(self.cx, &self.user)?, grant) {
            outside_pair::take(self.cx, &grant.user_id, &current, pair)?;
        }
        Ok(None)
    }

    /// Whether the owner of a try at `grant` that has no end may just be slow. A lease that
    /// ran out says so by a clock that may be wrong, which is good enough for
    /// another try and not for putting a pair from outside over what may come.
    fn may_have_a_child(&mut self, grant: &Grant) -> bool {
        let now = self.cx.ports.monotonic_now();
        let since = match self.open_since {
            Some((ticket, since)) if ticket == grant.ticket => since,
            _ => now,
        };
        self.open_since = Some((grant.ticket, since));
        now < since + LEASE
    }

    /// An owner gives up well before others take its claim for dead. From the end
    /// of the first look to the beginning of this one, at `asked_at`: a store that
    /// answers late tells how it was, not how it is.
    fn seems_dead(&mut self, parent: Ticket, number: u64, asked_at: Duration) -> bool {
        match self.silent_claim {
            Some((ticket, claim, since)) if (ticket, claim) == (parent, number) => asked_at >= since + CLAIM_DEATH,
            _ => {
                self.silent_claim = Some((parent, number, self.cx.ports.monotonic_now()));
                false
            }
        }
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
        claimed: u64,
        until: Timestamp,
        last: Outcome,
    ) -> Result<Option<Grant>, Trouble> {
        if last == Outcome::ClientRefused {
            return Err(Trouble::ClientRefused);
        }
        let own = (claimed + 1).saturating_sub(self.first_try_of(grant, claimed + 1));
        // A call that found others' tries failed, and made none, tells of those.
        let tries = if own == 0 { claimed } else { own };
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

    /// What the timer does by itself waits while Kroger asks for fewer calls.
    fn claim_unless_busy(&mut self, grant: &Grant, number: u64) -> Result<Option<Grant>, Trouble> {
        if self.need == Need::NotDue
            && let Some(until) = busy::until(self.cx)
        {
            return self.wait_until(until, 1);
        }
        self.claim(grant, number)
    }

    /// Becomes the owner of try `number`, if nobody else is, and makes it.
    fn claim(&mut self, grant: &Grant, number: u64) -> Result<Option<Grant>, Trouble> {
        let Some(client) = &self.cx.settings.client else { return Err(Trouble::ClientMissing) };
        self.first_try_of(grant, number);
        let owner = Owner {
            cx: self.cx,
            user: &self.user,
            client,
            grant,
            number,
            why: self.need.why(),
            claimed_at: self.cx.ports.monotonic_now(),
            claimed_at_wall: self.cx.ports.wall_now(),
        };
        if self.cx.ports.increment(&tries::claim_key(&self.user, grant.ticket, number), 1)? != 1 {
            return Ok(self.wait_a_little());
        }
        owner.refresh(self.deadline)
    }
}

/// A random number from 0 to 1.
pub fn random(cx: Context<'_>) -> f64 {
    let mut bytes = [0; 4];
    cx.ports.random_bytes(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;
