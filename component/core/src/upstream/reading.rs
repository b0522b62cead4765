//! Reading from Kroger's API: a `GET` with a token. Reading changes nothing, so a call
//! whose answer is lost is sent again.
//!
//! The app's own token is enough for the catalog. An app without a secret has no token
//! of its own and reads with the user's. Nothing here writes to Kroger.

use std::time::Duration;

use serde_json::Value;

use crate::Context;
use crate::failure::{CallTrouble, Cause, Failure, Missing, QuotaTrouble};
use crate::json;
use crate::kroger::limits::Endpoint;
use crate::kroger::wire;
use crate::ports::Request;
use crate::secret::Secret;
use crate::upstream::app_token;
use crate::upstream::call::{
    self, Call, FinalAnswer, IfUnknown, IfWithheld, NotProcessed, ReadingToken, Terms, Unknown,
};
use crate::upstream::quota::Purpose;
use crate::user::UserId;

/// A reading begins nothing after this time. It is short, because a cart add with a
/// deadline of its own may follow.
const DEADLINE: Duration = Duration::from_secs(20);

/// What is read, and for whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) purpose: Purpose,
    /// Path and query.
    pub(crate) path: &'a str,
    pub(crate) token: TokenOf<'a>,
    /// The scope that a customer's token must have. The locations need none.
    pub(crate) scope: Option<&'static str>,
}

/// The owner of the token that a reading is sent with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TokenOf<'a> {
    /// The app's own, or the user's where the app has none.
    App(&'a UserId),
    /// The user's: the user's own data is read.
    User(&'a UserId),
}

impl<'a> TokenOf<'a> {
    /// The user for whom it is read.
    fn asker(self) -> &'a UserId {
        match self {
            Self::App(user) | Self::User(user) => user,
        }
    }

    /// The user whose token is sent. None: the app's own token is sent.
    fn user(self, cx: Context<'_>) -> Option<&'a UserId> {
        let has_secret = cx.settings.client.as_ref().is_none_or(|client| client.secret.is_some());
        match self {
            Self::App(_) if has_secret => None,
            Self::App(user) | Self::User(user) => Some(user),
        }
    }
}

/// A reading under way.
struct Read<'a> {
    reading: Reading<'a>,
    deadline: Duration,
}

/// Answers the JSON object that Kroger sends.
///
/// # Errors
/// `not_found` if Kroger knows of no such thing; otherwise as each call that sends a
/// token to Kroger's API.
pub(crate) fn read(cx: Context<'_>, reading: Reading<'_>) -> Result<Value, Failure> {
    call::make(cx, &mut Read { reading, deadline: cx.ports.monotonic_now() + DEADLINE })
}

impl Call for Read<'_> {
    type Bearer = ReadingToken;
    type Done = Value;

    fn terms(&self) -> Terms {
        Terms {
            endpoint: self.reading.endpoint,
            user: self.reading.token.asker().key(),
            purpose: self.reading.purpose,
            deadline: self.deadline,
            if_unknown: IfUnknown::Repeat,
            if_withheld: IfWithheld::Refuse,
        }
    }

    fn bearer(&self, cx: Context<'_>, rejected: Option<&ReadingToken>) -> Result<ReadingToken, Failure> {
        match (self.reading.token.user(cx), rejected) {
            (None, Some(ReadingToken::App(rejected))) => app_token::other_than(cx, rejected).map(ReadingToken::App),
            (None, _) => app_token::access_token(cx).map(ReadingToken::App),
            (Some(user), Some(ReadingToken::User(rejected))) => {
                call::users_token(cx, user, Some(rejected), self.deadline).map(ReadingToken::of)
            }
            (Some(user), _) => call::users_token(cx, user, None, self.deadline).map(ReadingToken::of),
        }
    }

    fn request(&self, access_token: &Secret) -> Request {
        wire::read_request(self.reading.path, access_token)
    }

    fn end(&self, cx: Context<'_>, bearer: ReadingToken, answer: FinalAnswer) -> Result<Value, Failure> {
        let endpoint = self.reading.endpoint;
        match answer {
            FinalAnswer::Success(body) => {
                object(&body).ok_or_else(|| Cause::Call(endpoint, CallTrouble::Foreign).into())
            }
            FinalAnswer::ScopeMissing => Err(scope_missing(cx, &bearer, self.reading)),
            FinalAnswer::NotFound(_) => Err(Cause::NotFound(Missing::Named(endpoint)).into()),
            FinalAnswer::Rejected(error) => Err(Cause::Call(endpoint, CallTrouble::Rejected(Box::new(error))).into()),
            FinalAnswer::Foreign => Err(Cause::Call(endpoint, CallTrouble::Foreign).into()),
        }
    }

    fn not_processed(&self, why: NotProcessed, asked_for: Option<Duration>, pause: Duration) -> Failure {
        const A_MINUTE: Duration = Duration::from_secs(60);

        let (endpoint, pause) = (self.reading.endpoint, asked_for.unwrap_or(pause));
        match why {
            NotProcessed::NotReached => later(Cause::Call(endpoint, CallTrouble::NotReached), pause),
            NotProcessed::Unavailable => later(Cause::Call(endpoint, CallTrouble::Unavailable(503)), pause),
            NotProcessed::OverQuota => later(Cause::Quota(endpoint, QuotaTrouble::Exceeded(None)), pause.max(A_MINUTE)),
        }
    }

    fn unknown(&self, _: Context<'_>, why: Unknown, asked_for: Option<Duration>, pause: Option<Duration>) -> Failure {
        let trouble = match why {
            Unknown::NoAnswer => CallTrouble::NoAnswer,
            Unknown::Status(status) => CallTrouble::Unavailable(status),
        };
        later(Cause::Call(self.reading.endpoint, trouble), asked_for.or(pause).unwrap_or_default())
    }

    fn too_late(&self) -> Failure {
        later(Cause::Call(self.reading.endpoint, CallTrouble::NotReached), Duration::ZERO)
    }
}

fn object(body: &[u8]) -> Option<Value> {
    json::answer(body).filter(Value::is_object)
}

fn scope_missing(cx: Context<'_>, bearer: &ReadingToken, reading: Reading<'_>) -> Failure {
    let Reading { endpoint, scope, .. } = reading;
    match bearer {
        ReadingToken::App(_) => Cause::Call(endpoint, CallTrouble::AppLacksScope(scope)).into(),
        ReadingToken::User(grant) => {
            let wanted = scope.map_or(cx.settings.scope.clone(), |scope| cx.settings.scope.with(scope));
            Failure::sign_in_needed(
                Cause::Call(endpoint, CallTrouble::SignInLacksScope(scope)),
                &grant.user_id,
                &wanted,
            )
        }
    }
}

/// The failure of a reading that is worth another try after `pause`.
fn later(cause: Cause, pause: Duration) -> Failure {
    Failure::from(cause).retry_after(pause.max(Duration::from_secs(1)))
}
