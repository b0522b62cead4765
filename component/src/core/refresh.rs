//! Getting a grant whose access token is good, by refreshing it where needed.
//!
//! Kroger's refresh tokens are single use: one sent twice, or one whose
//! answer is not saved, costs the person their sign-in. So:
//! claim → ticket → read again → store the intent → read it back → check both
//! clocks → send once → save → use. Safety rests on records that are written
//! once by one writer ([`super::lineage`]); claims and leases only save work.
//!
//! Nothing here ever repeats an `increment` whose answer was lost, sends a token
//! that it read to be refused, or goes back to a token that was spent.

use std::time::Duration;

use super::attempts::{self, Attempt, CLAIM_DEATH, CLAIM_LIFE, Intent, LEASE, Outcome, Step, Try};
use super::grants;
use super::kroger;
use super::lineage::{Current, Grant, Record, SCHEMA_VERSION, Ticket, Tokens};
use super::settings::Client;
use super::success_rate::{self, Lifetime};
use super::token_response::{TokenResponse, Verdict, verdict};
use super::user::{UserId, UserKey};
use super::{Context, busy, due, maintenance, mirror};
use crate::ports::{Bucket, Event, SendError, StoreError, Timestamp};

/// A call that waits for a refresh waits this long at most.
pub const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// The timer comes again: it waits through no longer pause than this while
/// others are due.
const PASS_PATIENCE: Duration = Duration::from_secs(2);
/// Between two tries for calls.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
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
}

impl From<StoreError> for Trouble {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

/// Answers the user's grant as `need` has it, refreshing it first if it must.
pub fn grant(cx: Context<'_>, user: &UserId, need: Need) -> Result<Grant, Trouble> {
    let mut caller = Caller {
        cx,
        user: user.key(),
        need,
        deadline: cx.ports.monotonic_now() + CALL_DEADLINE,
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
        match caller.advance(&grant)? {
            Some(refreshed) => return Ok(refreshed),
            None => caller.check_deadline()?,
        }
    }
}

/// The current grant, or a pair from outside where the store has nothing.
fn find(cx: Context<'_>, user: &UserId) -> Result<Grant, Trouble> {
    match grants::current(cx, &user.key())? {
        Current::Grant(grant) => Ok(grant),
        other => mirror::adopt(cx, user, &other)?.ok_or(Trouble::NotSignedIn),
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
            return self.give_up(grant, Trouble::NoRefreshToken);
        }
        if grant.ticket == Ticket::UNSTORED {
            return Err(Trouble::StoreForgets);
        }
        let asked_at = self.cx.ports.monotonic_now();
        let tries = grants::tries(self.cx, grant)?;
        let claimed = tries.last().map_or(0, |last| last.number);
        match attempts::next_step(&tries, self.cx.ports.wall_now()) {
            Step::Refused { probably_spent } => self.give_up(grant, Trouble::Refused { probably_spent }),
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
    /// or a pair lies outside that can take its place.
    fn give_up(&mut self, grant: &Grant, trouble: Trouble) -> Result<Option<Grant>, Trouble> {
        let current = grants::current(self.cx, &self.user)?;
        let is_current = matches!(&current, Current::Grant(now) if now.is_same(grant));
        if !is_current {
            return Ok(None);
        }
        if mirror::adoptable(self.cx, &grant.user_id, &current).is_none() {
            return Err(trouble);
        }
        if self.may_have_a_child(grant)? {
            return Ok(self.wait_a_little());
        }
        mirror::adopt(self.cx, &grant.user_id, &current)?.map_or(Err(trouble), |_| Ok(None))
    }

    /// Whether somebody may still come back with a child of `grant`. A lease that
    /// ran out says so by a clock that may be wrong, which is good enough for
    /// another try and not for putting a pair from outside over what may come.
    fn may_have_a_child(&mut self, grant: &Grant) -> Result<bool, Trouble> {
        if !grants::tries(self.cx, grant)?.iter().any(Try::is_open) {
            return Ok(false);
        }
        let now = self.cx.ports.monotonic_now();
        let since = match self.open_since {
            Some((ticket, since)) if ticket == grant.ticket => since,
            _ => now,
        };
        self.open_since = Some((grant.ticket, since));
        Ok(now < since + LEASE)
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
            grant,
            number,
            why: self.need.why(),
            claimed_at: self.cx.ports.monotonic_now(),
            claimed_at_wall: self.cx.ports.wall_now(),
        };
        if self.cx.ports.increment(&grants::claim_key(&self.user, grant.ticket, number), 1)? != 1 {
            return Ok(self.wait_a_little());
        }
        let Some(ticket) = owner.prepare()? else { return Ok(None) };
        let request = kroger::refresh_request(
            &self.cx.settings.token_path,
            client,
            grant.tokens.refresh_token.as_ref().ok_or(Trouble::NoRefreshToken)?,
        );
        let stopwatch = Stopwatch::start(self.cx);
        let answer = self.cx.ports.send(&request, SEND_TIMEOUT);
        let verdict = answer.map(|response| verdict(&response, self.cx.ports.wall_now()));
        owner.conclude(ticket, verdict, &stopwatch, self.deadline)
    }
}

/// Started when a request for tokens leaves.
pub struct Stopwatch {
    monotonic: Duration,
    wall: Timestamp,
}

impl Stopwatch {
    pub fn start(cx: Context<'_>) -> Self {
        Self { monotonic: cx.ports.monotonic_now(), wall: cx.ports.wall_now() }
    }

    pub fn elapsed(&self, cx: Context<'_>) -> Duration {
        cx.ports.monotonic_now().saturating_sub(self.monotonic)
    }

    /// When a token with `lifetime`, received now, expires: counted from the
    /// start, or back from now, whichever is earlier. The monotonic clock may
    /// stand still while the machine is suspended, and the other may be set.
    pub fn expiry(&self, cx: Context<'_>, lifetime: Duration) -> Timestamp {
        let by_now = cx.ports.wall_now() + lifetime.saturating_sub(self.elapsed(cx));
        by_now.min(self.wall + lifetime)
    }
}

/// The one caller that may send this try's request, once.
struct Owner<'a> {
    cx: Context<'a>,
    user: &'a UserKey,
    grant: &'a Grant,
    number: u64,
    why: &'static str,
    /// Both taken before the claim, so that they never flatter.
    claimed_at: Duration,
    claimed_at_wall: Timestamp,
}

impl Owner<'_> {
    /// Everything between the claim and the send. Answers the ticket for the
    /// child; none where the send must not happen and the caller looks again.
    ///
    /// The ticket is taken before the second look: what descends from a sibling
    /// that lands after that look has a newer ticket, so a late child of ours
    /// never outranks it.
    fn prepare(&self) -> Result<Option<Ticket>, Trouble> {
        let ticket = grants::take_ticket(self.cx, self.user, self.grant.ticket.root)?;
        let is_current = grants::current(self.cx, self.user)?.grant().is_some_and(|now| now.is_same(self.grant));
        if !is_current {
            return Ok(None);
        }
        // No token is spent whose own record could be lost with the host.
        grants::settle(self.cx, self.user, self.grant.ticket)?;
        let intent = Intent { schema_version: SCHEMA_VERSION, ticket, lease_until: self.cx.ports.wall_now() + LEASE };
        self.store_intent(&intent)?;
        if self.is_too_late() {
            self.record(Outcome::NotSent, Duration::ZERO);
            return Ok(None);
        }
        Ok(Some(ticket))
    }

    /// Durable, and really there: a store that forgets would let the next
    /// caller spend the token again.
    fn store_intent(&self, intent: &Intent) -> Result<(), Trouble> {
        let key = grants::intent_key(self.user, self.grant.ticket, self.number);
        let value = grants::encode(intent);
        if self.cx.ports.set(Bucket::Store, &key, &value).is_err() {
            self.record(Outcome::NotSent, Duration::ZERO);
            return Err(Trouble::Store);
        }
        match self.cx.ports.read_back(&key) {
            Ok(Some(stored)) if stored == value => Ok(()),
            Ok(_) => Err(Trouble::StoreForgets),
            Err(_) => {
                self.record(Outcome::NotSent, Duration::ZERO);
                Err(Trouble::Store)
            }
        }
    }

    /// A process that was stopped, or whose clock was set, since the claim.
    fn is_too_late(&self) -> bool {
        let now = self.cx.ports.wall_now();
        let is_in_time = self.cx.ports.monotonic_now() < self.claimed_at + CLAIM_LIFE
            && now >= self.claimed_at_wall
            && now < self.claimed_at_wall + CLAIM_LIFE;
        !is_in_time
    }

    fn conclude(
        &self,
        ticket: Ticket,
        answer: Result<Verdict, SendError>,
        stopwatch: &Stopwatch,
        deadline: Duration,
    ) -> Result<Option<Grant>, Trouble> {
        let took = stopwatch.elapsed(self.cx);
        let (outcome, asked_for) = match answer {
            Ok(Verdict::Granted(response)) => {
                // Nothing stands between the answer and the save, a full log neither.
                let kept = self.keep(ticket, response, stopwatch, deadline);
                self.log(if kept == Err(Trouble::Lost) { "unsaved" } else { "refreshed" }, took, ticket);
                return kept.map(Some);
            }
            Ok(Verdict::Refused) => (Outcome::Refused, None),
            Ok(Verdict::ClientRefused) => (Outcome::ClientRefused, Some(Duration::from_secs(30))),
            Ok(Verdict::RequestRefused(_)) => (Outcome::RequestRefused, Some(Duration::from_secs(30))),
            Ok(Verdict::Busy { retry_after }) => (Outcome::Busy, retry_after),
            Ok(Verdict::Failed { retry_after }) => (Outcome::Failed, retry_after),
            Ok(Verdict::Unintelligible) | Err(SendError::Unknown) => (Outcome::Unknown, None),
            Err(SendError::NotSent) => (Outcome::NotSent, None),
        };
        self.log(outcome.as_str(), took, ticket);
        self.record(outcome, self.pause(outcome, asked_for));
        if outcome == Outcome::Busy {
            busy::note(self.cx, asked_for);
        }
        if outcome == Outcome::Refused {
            success_rate::count(self.cx, Lifetime::Lost);
        }
        Ok(None)
    }

    /// The pause until the next try. While the access token lives it is at most a
    /// quarter of what is left: pauses that double, and what a server in trouble
    /// guesses, must not outgrow the window. A 429 is no guess.
    fn pause(&self, outcome: Outcome, asked_for: Option<Duration>) -> Duration {
        const SHORTEST_BOUND: Duration = Duration::from_millis(500);

        let pause = attempts::pause(self.number, asked_for, random(self.cx));
        let left = self.grant.tokens.expires_at.since(self.cx.ports.wall_now());
        let is_bounded = !left.is_zero() && (asked_for.is_none() || outcome == Outcome::Failed);
        if is_bounded { pause.min((left / 4).max(SHORTEST_BOUND)) } else { pause }
    }

    /// Stores the outcome. Where that fails the intent's lease runs out instead.
    fn record(&self, outcome: Outcome, pause: Duration) {
        let now = self.cx.ports.wall_now();
        let attempt = Attempt {
            schema_version: SCHEMA_VERSION,
            outcome,
            at: now,
            not_before: now + pause,
            token: self.grant.fingerprint(),
            client: self.cx.settings.client.as_ref().map(Client::fingerprint),
        };
        let key = grants::attempt_key(self.user, self.grant.ticket, self.number);
        if self.cx.ports.set(Bucket::Store, &key, &grants::encode(&attempt)).is_err() {
            self.cx.ports.log(&Event::StoreTrouble { doing: "recording the outcome of a refresh" });
        }
    }

    /// Saves the new pair before anyone uses it.
    fn keep(
        &self,
        ticket: Ticket,
        response: TokenResponse,
        stopwatch: &Stopwatch,
        deadline: Duration,
    ) -> Result<Grant, Trouble> {
        let record = Record::refreshed(self.grant, self.tokens(response, stopwatch));
        let deadline = deadline.max(self.cx.ports.monotonic_now() + SAVE_TIME);
        grants::keep(self.cx, self.user, ticket, &record, deadline).map_err(|_| Trouble::Lost)?;
        let grant = super::lineage::current(vec![(ticket, record)]).grant().ok_or(Trouble::Lost)?;
        mirror::export(self.cx, &grant);
        maintenance::after_refresh(self.cx, self.user, self.grant, &grant);
        let now = self.cx.ports.wall_now();
        if now < grant.tokens.expires_at {
            return Ok(grant);
        }
        Err(Trouble::Unavailable { tries: 1, until: now + LONGEST_POLL })
    }

    fn tokens(&self, response: TokenResponse, stopwatch: &Stopwatch) -> Tokens {
        Tokens {
            access_token: response.access_token,
            refresh_token: response.refresh_token.or_else(|| self.grant.tokens.refresh_token.clone()),
            obtained_at: self.cx.ports.wall_now(),
            expires_at: stopwatch.expiry(self.cx, response.expires_in),
            scope: response.scope.or_else(|| self.grant.tokens.scope.clone()),
        }
    }

    fn log(&self, outcome: &'static str, took: Duration, generation: Ticket) {
        self.cx.ports.log(&Event::Refresh {
            user: self.user.short(),
            why: self.why,
            outcome,
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            generation: generation.step,
        });
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
