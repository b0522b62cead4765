//! One try at refreshing, by the one caller that owns it: from the claim to the
//! pair that is saved, or the failure that is stored.
//!
//! An owner sends its token once at most, and uses no pair that it has not saved.

use std::time::Duration;

use crate::Context;
use crate::backoff;
use crate::grant::attempts::{Attempt, AttemptOutcome, Intent};
use crate::grant::lineage::{Grant, Record, Tokens};
use crate::grant::records::{self, SAVE_TIME};
use crate::grant::success_rate::{self, Lifetime};
use crate::grant::tries::TriesAt;
use crate::grant::trouble::Trouble;
use crate::grant::{busy, folded, refreshed};
use crate::kroger::client::Client;
use crate::kroger::token_response::{TokenResponse, TokenVerdict, verdict};
use crate::kroger::wire;
use crate::ports::{Event, SendError, StoreError};
use crate::stopwatch::Stopwatch;
use crate::store::claim::{self, Deed, LEASE, Withdrawal};
use crate::store::ticket::Ticket;
use crate::user::UserKey;

const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// An operator must correct the settings: the pause until the next try.
const OPERATORS_PAUSE: Duration = Duration::from_secs(30);
/// The pause until a retry, if the new access token expired while it was saved.
const AT_ONCE: Duration = Duration::from_millis(250);

/// The one caller that may send this try's request, once.
pub(super) struct Owner<'a> {
    cx: Context<'a>,
    tries: TriesAt<'a>,
    client: &'a Client,
    grant: &'a Grant,
    number: u64,
    why: &'static str,
}

impl<'a> Deed for Owner<'a> {
    type Records = TriesAt<'a>;

    fn records(&self) -> &TriesAt<'a> {
        &self.tries
    }

    /// The intent, with the ticket for the child. None: the token must not be sent.
    ///
    /// We take our ticket, and then check again that the grant is the current one. A
    /// caller that begins a refresh after this check takes a later ticket. So our
    /// result, however late, cannot replace theirs.
    fn intent(&self, number: u64) -> Result<Option<Intent>, StoreError> {
        let TriesAt { user, parent } = self.tries;
        if folded::covers(self.cx, user, parent, number)? {
            return Ok(None);
        }
        let ticket = records::take_ticket(self.cx, user, parent.root)?;
        if !records::is_current(self.cx, self.grant)? {
            return Ok(None);
        }
        // No token is spent while its own record could be lost with the host.
        records::settle(self.cx, user, parent)?;
        let lease_until = self.cx.ports.wall_now() + LEASE;
        Ok(Some(Intent { ticket, lease_until }))
    }

    fn withdraw(&self, number: u64, why: Withdrawal) {
        let pause = match why {
            Withdrawal::StoreFailed | Withdrawal::NotAlone => Duration::ZERO,
            // A pause, because a store that is slow would not do better at once.
            Withdrawal::TooLate => backoff::pause(self.cx, number, None),
        };
        self.record(AttemptOutcome::NotSent, pause);
    }
}

impl<'a> Owner<'a> {
    pub(super) fn new(
        cx: Context<'a>,
        user: &'a UserKey,
        client: &'a Client,
        grant: &'a Grant,
        number: u64,
        why: &'static str,
    ) -> Self {
        let tries = TriesAt { user, parent: grant.ticket };
        Self { cx, tries, client, grant, number, why }
    }

    /// Sends the refresh token once and keeps the new pair under `ticket`. None: the
    /// try failed; look again.
    pub(super) fn send_once(&self, ticket: Ticket, deadline: Duration) -> Result<Option<Grant>, Trouble> {
        let refresh_token = self.grant.tokens.refresh_token.as_ref().ok_or(Trouble::NoRefreshToken)?;
        let request = wire::refresh_request(&self.cx.settings.token_path, self.client, refresh_token);
        let stopwatch = Stopwatch::start(self.cx);
        let answer = self.cx.ports.send(&request, SEND_TIMEOUT);
        let verdict = answer.map(|response| verdict(&response, self.cx.ports.wall_now()));
        let took = stopwatch.elapsed(self.cx);
        let (outcome, asked_for) = match verdict {
            Ok(TokenVerdict::Granted(response)) => {
                // Nothing stands between the answer and the save, not even the log.
                let kept = self.keep(ticket, response, &stopwatch, deadline);
                self.log(if kept == Err(Trouble::Lost) { Event::UNSAVED } else { Event::REFRESHED }, took, ticket);
                return kept.map(Some);
            }
            Ok(TokenVerdict::Refused) => (AttemptOutcome::Refused, None),
            Ok(TokenVerdict::ClientRefused) => (AttemptOutcome::ClientRefused, Some(OPERATORS_PAUSE)),
            Ok(TokenVerdict::RequestRefused(_)) => (AttemptOutcome::RequestRefused, Some(OPERATORS_PAUSE)),
            Ok(TokenVerdict::Busy { retry_after }) => (AttemptOutcome::Busy, retry_after),
            Ok(TokenVerdict::Failed { retry_after }) => (AttemptOutcome::Failed, retry_after),
            Ok(TokenVerdict::Unintelligible) | Err(SendError::Unknown) => (AttemptOutcome::Unknown, None),
            Err(SendError::NotSent) => (AttemptOutcome::NotSent, None),
        };
        self.log(outcome.as_str(), took, ticket);
        self.fail(outcome, asked_for);
        Ok(None)
    }

    /// Stores how the try failed, and tells the others what it means for them.
    fn fail(&self, outcome: AttemptOutcome, asked_for: Option<Duration>) {
        self.record(outcome, self.pause(outcome, asked_for));
        if outcome == AttemptOutcome::Busy {
            busy::note(self.cx, asked_for);
        }
        if outcome == AttemptOutcome::Refused {
            success_rate::count(self.cx, Lifetime::Lost);
        }
    }

    /// The pause until the next try.
    ///
    /// While the access token is valid, most pauses are at most a quarter of the time
    /// that is left, so that more tries come before it expires. That holds for our own
    /// pauses and for those that a server in trouble asks for. The pause of a 429 and
    /// the pause for an operator are kept whole.
    fn pause(&self, outcome: AttemptOutcome, asked_for: Option<Duration>) -> Duration {
        const SHORTEST_BOUND: Duration = Duration::from_millis(500);

        let pause = backoff::pause(self.cx, self.number, asked_for);
        let left = self.grant.tokens.expires_at.since(self.cx.ports.wall_now());
        let is_bounded = !left.is_zero() && (asked_for.is_none() || outcome == AttemptOutcome::Failed);
        if is_bounded { pause.min((left / 4).max(SHORTEST_BOUND)) } else { pause }
    }

    /// Stores the outcome. If that fails, the intent's lease runs out instead.
    fn record(&self, outcome: AttemptOutcome, pause: Duration) {
        let at = self.cx.ports.wall_now();
        let attempt = Attempt {
            outcome,
            at,
            not_before: at + pause,
            token: self.grant.fingerprint(),
            client: self.cx.settings.credentials(),
        };
        if claim::conclude(self.cx, &self.tries, self.number, &attempt).is_err() {
            self.cx.ports.log(&Event::StoreTrouble { doing: "recording the outcome of a refresh" });
        }
        folded::fold(self.cx, self.tries.user, self.tries.parent, self.number);
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
        records::keep(self.cx, self.tries.user, ticket, &record, deadline).map_err(|_| Trouble::Lost)?;
        let grant = Grant::of(ticket, record).ok_or(Trouble::Lost)?;
        refreshed::follow_up(self.cx, self.tries.user, self.grant, &grant);
        let now = self.cx.ports.wall_now();
        if now < grant.tokens.expires_at {
            return Ok(grant);
        }
        Err(Trouble::Unavailable { tries: 1, until: now + AT_ONCE })
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

    fn log(&self, outcome: &'static str, took: Duration, ticket: Ticket) {
        self.cx.ports.log(&Event::Refresh {
            user: self.tries.user.short(),
            why: self.why,
            outcome,
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            ticket: ticket.to_string(),
        });
    }
}
