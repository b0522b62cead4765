//! One try at refreshing, by the one caller that owns it: from the claim to the
//! pair that is saved, or the outcome that is stored.

use std::time::Duration;

use crate::Context;
use crate::client::Client;
use crate::grant::attempts::{self, Attempt, CLAIM_LIFE, Intent, LEASE, Outcome};
use crate::grant::lineage::{self, Grant, Record, Tokens};
use crate::grant::refresh::{LONGEST_POLL, SAVE_TIME, Trouble, random};
use crate::grant::success_rate::{self, Lifetime};
use crate::grant::{folded, outside_pair, records, tries};
use crate::kroger::token_response::{TokenResponse, Verdict, verdict};
use crate::kroger::wire;
use crate::ports::{Bucket, Event, SendError, Timestamp};
use crate::service::maintenance;
use crate::stopwatch::Stopwatch;
use crate::store::codec;
use crate::store::ticket::Ticket;
use crate::upstream::busy;
use crate::user::UserKey;

const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// The one caller that may send this try's request, once.
pub(super) struct Owner<'a> {
    pub(super) cx: Context<'a>,
    pub(super) user: &'a UserKey,
    pub(super) client: &'a Client,
    pub(super) grant: &'a Grant,
    pub(super) number: u64,
    pub(super) why: &'static str,
    /// Both taken before the claim, so that they never flatter.
    pub(super) claimed_at: Duration,
    pub(super) claimed_at_wall: Timestamp,
}

impl Owner<'_> {
    /// Sends the refresh token once and keeps what comes of it. None: nothing was
    /// sent, or it failed; look again.
    pub(super) fn refresh(&self, deadline: Duration) -> Result<Option<Grant>, Trouble> {
        let Some(ticket) = self.prepare()? else { return Ok(None) };
        let refresh_token = self.grant.tokens.refresh_token.as_ref().ok_or(Trouble::NoRefreshToken)?;
        let request = wire::refresh_request(&self.cx.settings.token_path, self.client, refresh_token);
        let stopwatch = Stopwatch::start(self.cx);
        let answer = self.cx.ports.send(&request, SEND_TIMEOUT);
        let verdict = answer.map(|response| verdict(&response, self.cx.ports.wall_now()));
        self.conclude(ticket, verdict, &stopwatch, deadline)
    }

    /// Everything between the claim and the send. Answers the ticket for the
    /// child; none where the send must not happen and the caller looks again.
    ///
    /// The ticket is taken before the second look: what descends from a sibling
    /// that lands after that look has a newer ticket, so a late child of ours
    /// never outranks it.
    fn prepare(&self) -> Result<Option<Ticket>, Trouble> {
        if folded::covers(self.cx, self.user, self.grant.ticket, self.number)? {
            return Ok(None);
        }
        let ticket = records::take_ticket(self.cx, self.user, self.grant.ticket.root)?;
        let is_current = records::current(self.cx, self.user)?.grant().is_some_and(|now| now.is_same(self.grant));
        if !is_current {
            return Ok(None);
        }
        // No token is spent whose own record could be lost with the host.
        records::settle(self.cx, self.user, self.grant.ticket)?;
        let intent = Intent { ticket, lease_until: self.cx.ports.wall_now() + LEASE };
        self.store_intent(&intent)?;
        if self.is_too_late() {
            // Not at once again: a store that is slow would never do better.
            self.record(Outcome::NotSent, attempts::pause(self.number, None, random(self.cx)));
            return Ok(None);
        }
        Ok(Some(ticket))
    }

    /// Durable, and really there: a store that forgets would let the next
    /// caller spend the token again.
    fn store_intent(&self, intent: &Intent) -> Result<(), Trouble> {
        let key = tries::intent_key(self.user, self.grant.ticket, self.number);
        let value = codec::encode(intent);
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
            outcome,
            at: now,
            not_before: now + pause,
            token: self.grant.fingerprint(),
            client: self.cx.settings.credentials(),
        };
        let key = tries::attempt_key(self.user, self.grant.ticket, self.number);
        if self.cx.ports.set(Bucket::Store, &key, &codec::encode(&attempt)).is_err() {
            self.cx.ports.log(&Event::StoreTrouble { doing: "recording the outcome of a refresh" });
        }
        folded::fold(self.cx, self.user, self.grant.ticket, self.number);
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
        records::keep(self.cx, self.user, ticket, &record, deadline).map_err(|_| Trouble::Lost)?;
        let grant = lineage::current(vec![(ticket, record)]).grant().ok_or(Trouble::Lost)?;
        outside_pair::export(self.cx, &grant);
        maintenance::after_refresh(self.cx, self.user, self.grant, &grant);
        let now = self.cx.ports.wall_now();
        if now < grant.tokens.expires_at {
            return Ok(grant);
        }
        Err(Trouble::Unavailable { tries: 1, until: now + LONGEST_POLL })
    }

    fn tokens(&self, response: TokenResponse, stopwatch: &Stopwatch) -> Tokens {
        Tokens {
            app: Some(self.cx.settings.app.clone()),
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
