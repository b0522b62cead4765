//! One call to Kroger's API with a token. The loop gets a token, counts the call,
//! sends it, renews a rejected token, pauses, and tells how the call ended. Cart adds
//! and reads both go through it.
//!
//! Nothing here is sent beyond the quota or begun after the call's deadline. A call
//! that Kroger may have processed is sent again only if its [`Terms`] say so.

use std::time::Duration;

use crate::Context;
use crate::backoff;
use crate::failure::{CallTrouble, Cause, Failure, GrantTrouble};
use crate::grant::lineage::Grant;
use crate::grant::refresh::{self, Need};
use crate::grant::{records, trouble};
use crate::kroger::api_error::ApiError;
use crate::kroger::limits::Endpoint;
use crate::kroger::retry_after::retry_after;
use crate::ports::{Request, Response, SendError};
use crate::secret::Secret;
use crate::upstream::app_token;
use crate::upstream::quota::{self, Purpose};
use crate::user::{UserId, UserKey};

const SEND_TIMEOUT: Duration = Duration::from_secs(15);

/// A call whose token is rejected looks for a newer one this often at most.
pub(crate) const MOST_REJECTIONS: u32 = 4;

/// What the loop must know of a call.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) endpoint: Endpoint,
    /// The user whose share of the quota it uses.
    pub(crate) user: UserKey,
    /// The purpose of the first send. Each other send is a repeat.
    pub(crate) purpose: Purpose,
    /// Nothing is begun after this, by the monotonic clock.
    pub(crate) deadline: Duration,
    pub(crate) if_unknown: IfUnknown,
    pub(crate) if_withheld: IfWithheld,
}

/// What to do if Kroger may have processed the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfUnknown {
    /// Send it again: it changes nothing.
    Repeat,
    /// Never send it again.
    Stop,
}

/// What to do if the quota forbids a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfWithheld {
    /// Wait through a short block, as through any other pause.
    Wait,
    Refuse,
}

/// How Kroger answered one send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The call ends so.
    Final(FinalAnswer),
    TokenRejected,
    /// Certainly not processed; worth another send.
    NotProcessed {
        why: NotProcessed,
        retry_after: Option<Duration>,
    },
    /// Perhaps processed.
    Unknown {
        why: Unknown,
        retry_after: Option<Duration>,
    },
}

/// An answer after which the same call is not sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FinalAnswer {
    /// 2xx with this body, which need not be Kroger's.
    Success(Vec<u8>),
    ScopeMissing,
    /// 404, with Kroger's words for it or without.
    NotFound(Option<ApiError>),
    Rejected(ApiError),
    /// Something other than Kroger's API answered.
    Foreign,
}

/// Why a call was certainly not processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotProcessed {
    NotReached,
    /// 503.
    Unavailable,
    /// 429.
    OverQuota,
}

/// Why nobody can say whether a call was processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    NoAnswer,
    /// 408, or a 5xx that is not 503.
    Status(u16),
}

/// A kind of call: its token, its request, and its words.
pub(crate) trait Call {
    type Bearer: Bearer;
    type Done;

    fn terms(&self) -> Terms;

    /// A valid token, newer than the `rejected` one.
    fn bearer(&self, cx: Context<'_>, rejected: Option<&Self::Bearer>) -> Result<Self::Bearer, Failure>;

    fn request(&self, access_token: &Secret) -> Request;

    /// Asked right before each send. Some: the call ends so, and nothing is sent.
    fn admit(&mut self) -> Result<Option<Self::Done>, Failure> {
        Ok(None)
    }

    /// Told right after each send, before anything else is done.
    fn note(&mut self, _answer: &Answer) {}

    /// What the caller is told of a final answer.
    fn end(&self, cx: Context<'_>, bearer: Self::Bearer, answer: FinalAnswer) -> Result<Self::Done, Failure>;

    /// What the caller is told if the call was not processed and is not sent again: no
    /// try is left, or `pause` would outlast the deadline.
    fn not_processed(&self, why: NotProcessed, asked_for: Option<Duration>, pause: Duration) -> Failure;

    /// What the caller is told if Kroger may have processed the call and it is not sent
    /// again. No pause: it must not be.
    fn unknown(&self, cx: Context<'_>, why: Unknown, asked_for: Option<Duration>, pause: Option<Duration>) -> Failure;

    /// What the caller is told if getting a token took all of the time.
    fn too_late(&self) -> Failure;
}

/// The token of one send.
pub(crate) trait Bearer {
    fn access_token(&self) -> &Secret;

    /// Whether this token should have served: no other has taken its place, and it has
    /// not expired under the call. Some servers end an access token when it is
    /// refreshed, so a refresh beside a call is no rejection, and neither is a slow
    /// call.
    fn is_current(&self, cx: Context<'_>) -> bool;

    /// What the caller is told if Kroger rejects the token for good.
    fn rejected(&self, cx: Context<'_>, endpoint: Endpoint) -> Failure;
}

/// Makes `call`: sends it until an answer ends it or no other send is worth it.
///
/// # Errors
/// The failure that the call's own words make of the last answer.
pub(crate) fn make<C: Call>(cx: Context<'_>, call: &mut C) -> Result<C::Done, Failure> {
    let mut rounds = Rounds { cx, terms: call.terms(), tries: 0, sends: 0, rejections: 0 };
    let mut rejected = None;
    loop {
        let bearer = call.bearer(cx, rejected.as_ref())?;
        if cx.ports.monotonic_now() >= rounds.terms.deadline {
            return Err(call.too_late());
        }
        if let Err(withheld) = rounds.count() {
            rounds.wait_for_quota(withheld)?;
            continue;
        }
        if let Some(done) = call.admit()? {
            return Ok(done);
        }
        match send_once(cx, rounds.terms.endpoint, call, &bearer) {
            Answer::Final(answer) => return call.end(cx, bearer, answer),
            Answer::TokenRejected => {
                rounds.reject(&bearer)?;
                rejected = Some(bearer);
            }
            Answer::NotProcessed { why, retry_after } => {
                rounds.wait(retry_after).map_err(|pause| call.not_processed(why, retry_after, pause))?;
            }
            Answer::Unknown { why, retry_after } => {
                rounds.wait_to_repeat(retry_after).map_err(|pause| call.unknown(cx, why, retry_after, pause))?;
            }
        }
    }
}

fn send_once<C: Call>(cx: Context<'_>, endpoint: Endpoint, call: &mut C, bearer: &C::Bearer) -> Answer {
    let sent = cx.ports.send(&call.request(bearer.access_token()), SEND_TIMEOUT);
    let answer = read(cx, &sent);
    call.note(&answer);
    if let Ok(response) = &sent {
        quota::observe(cx, endpoint, response);
    }
    answer
}

/// The rounds of one call's loop.
struct Rounds<'a> {
    cx: Context<'a>,
    terms: Terms,
    tries: u64,
    sends: u64,
    rejections: u32,
}

impl Rounds<'_> {
    /// Counts one more try and the send that belongs to it. An error: it must not be
    /// sent.
    fn count(&mut self) -> Result<(), Failure> {
        let purpose = if self.sends == 0 { self.terms.purpose } else { Purpose::Repeat };
        self.tries += 1;
        quota::spend(self.cx, self.terms.endpoint, purpose, &self.terms.user)?;
        self.sends += 1;
        Ok(())
    }

    fn wait_for_quota(&self, withheld: Failure) -> Result<(), Failure> {
        match self.terms.if_withheld {
            IfWithheld::Wait => self.wait(withheld.retry_after).map_err(|_| withheld),
            IfWithheld::Refuse => Err(withheld),
        }
    }

    /// A first rejection is no end, and neither is a rejection of a token that is no
    /// longer current.
    fn reject(&mut self, bearer: &impl Bearer) -> Result<(), Failure> {
        self.rejections += 1;
        // The limit of tries is for Kroger's faults.
        self.tries -= 1;
        if self.rejections > 1 && (self.rejections > MOST_REJECTIONS || bearer.is_current(self.cx)) {
            return Err(bearer.rejected(self.cx, self.terms.endpoint));
        }
        Ok(())
    }

    /// An error is the pause that would be needed. None: the call must not be repeated.
    fn wait_to_repeat(&self, asked_for: Option<Duration>) -> Result<(), Option<Duration>> {
        match self.terms.if_unknown {
            IfUnknown::Repeat => self.wait(asked_for).map_err(Some),
            IfUnknown::Stop => Err(None),
        }
    }

    /// Waits for the next try. An error is the pause that is not worth waiting for.
    fn wait(&self, asked_for: Option<Duration>) -> Result<(), Duration> {
        let pause = backoff::pause(self.cx, self.tries, asked_for);
        let has_tries = self.tries < self.cx.settings.max_refresh_retries.into();
        if !has_tries || self.cx.ports.monotonic_now() + pause >= self.terms.deadline {
            return Err(pause);
        }
        self.cx.ports.sleep(pause);
        Ok(())
    }
}

/// What an answer means, whatever kind of call it answers.
fn read(cx: Context<'_>, sent: &Result<Response, SendError>) -> Answer {
    match sent {
        Ok(response) => read_response(response, retry_after(response, cx.ports.wall_now())),
        Err(SendError::NotSent) => Answer::NotProcessed { why: NotProcessed::NotReached, retry_after: None },
        Err(SendError::Unknown) => Answer::Unknown { why: Unknown::NoAnswer, retry_after: None },
    }
}

fn read_response(response: &Response, retry_after: Option<Duration>) -> Answer {
    match response.status {
        200..=299 => Answer::Final(FinalAnswer::Success(response.body.clone())),
        401 => Answer::TokenRejected,
        429 => Answer::NotProcessed { why: NotProcessed::OverQuota, retry_after },
        503 => Answer::NotProcessed { why: NotProcessed::Unavailable, retry_after },
        status @ (408 | 500..=599) => Answer::Unknown { why: Unknown::Status(status), retry_after },
        status => Answer::Final(refusal(status, &response.body)),
    }
}

fn refusal(status: u16, body: &[u8]) -> FinalAnswer {
    match (status, ApiError::parse(body)) {
        (403, Some(_)) => FinalAnswer::ScopeMissing,
        (404, None) if body.is_empty() => FinalAnswer::NotFound(None),
        (404, Some(error)) => FinalAnswer::NotFound(Some(error)),
        (400..=499, Some(error)) => FinalAnswer::Rejected(error),
        _ => FinalAnswer::Foreign,
    }
}

impl Bearer for Grant {
    fn access_token(&self) -> &Secret {
        &self.tokens.access_token
    }

    fn is_current(&self, cx: Context<'_>) -> bool {
        records::is_current(cx, self).unwrap_or(false) && self.tokens.are_usable(cx.ports.wall_now())
    }

    fn rejected(&self, cx: Context<'_>, _endpoint: Endpoint) -> Failure {
        Failure::sign_in_needed(Cause::Grant(GrantTrouble::AccessTokenRejected), &self.user_id, &cx.settings.scope)
    }
}

/// The user's grant, newer than the `rejected` one.
pub(crate) fn users_token(
    cx: Context<'_>,
    user: &UserId,
    rejected: Option<&Grant>,
    deadline: Duration,
) -> Result<Grant, Failure> {
    let need = rejected.map_or(Need::Usable, |rejected| Need::NewerThanRejected(rejected.ticket));
    refresh::grant_by(cx, user, need, deadline).map_err(|trouble| trouble::failure(cx, user, &trouble))
}

/// The app's own token, or the user's where the app has none.
pub(crate) enum ReadingToken {
    App(Secret),
    User(Box<Grant>),
}

impl ReadingToken {
    pub(crate) fn of(grant: Grant) -> Self {
        Self::User(Box::new(grant))
    }
}

impl Bearer for ReadingToken {
    fn access_token(&self) -> &Secret {
        match self {
            Self::App(token) => token,
            Self::User(grant) => grant.access_token(),
        }
    }

    fn is_current(&self, cx: Context<'_>) -> bool {
        match self {
            Self::App(token) => app_token::is_current(cx, token),
            Self::User(grant) => grant.is_current(cx),
        }
    }

    fn rejected(&self, cx: Context<'_>, endpoint: Endpoint) -> Failure {
        match self {
            Self::User(grant) => grant.rejected(cx, endpoint),
            Self::App(_) => Cause::Call(endpoint, CallTrouble::AppTokenRejected).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Answer {
        let body = body.as_bytes().to_vec();
        read_response(&Response { status, retry_after: None, date: None, body }, None)
    }

    #[test]
    fn only_some_answers_say_that_nothing_was_processed() {
        assert_eq!(answered(429, ""), Answer::NotProcessed { why: NotProcessed::OverQuota, retry_after: None });
        assert_eq!(answered(503, ""), Answer::NotProcessed { why: NotProcessed::Unavailable, retry_after: None });
        for status in [408, 500, 502, 504, 599] {
            assert_eq!(answered(status, ""), Answer::Unknown { why: Unknown::Status(status), retry_after: None });
        }
    }

    #[test]
    fn a_refusal_is_krogers_only_if_it_has_krogers_form() {
        const ERROR: &str = r#"{"code":"C","reason":"R"}"#;
        let error = || ApiError { code: "C".to_owned(), reason: "R".to_owned() };

        for (status, body, answer) in [
            (400, ERROR, FinalAnswer::Rejected(error())),
            (400, "<html>", FinalAnswer::Foreign),
            (403, ERROR, FinalAnswer::ScopeMissing),
            (403, "<html>", FinalAnswer::Foreign),
            (404, ERROR, FinalAnswer::NotFound(Some(error()))),
            (404, "", FinalAnswer::NotFound(None)),
            (404, "<html>", FinalAnswer::Foreign),
            (302, "", FinalAnswer::Foreign),
        ] {
            assert_eq!(answered(status, body), Answer::Final(answer), "{status} {body}");
        }
    }
}
