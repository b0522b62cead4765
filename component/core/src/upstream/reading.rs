//! Reading from Kroger's API: a `GET` with a token, tried again as often as it
//! makes sense. Reading changes nothing, so a lost answer is asked for anew.
//!
//! The app's own token is enough for the catalog; an app without a secret has
//! none, and reads with the user's. Nothing here writes to Kroger.

use std::time::Duration;

use serde_json::Value;

use crate::failure::{Cause, Failure};
use crate::grant::refresh::{self, Need, random};
use crate::grant::{attempts, trouble};
use crate::kroger::api_error::ApiError;
use crate::kroger::limits::Endpoint;
use crate::kroger::retry_after::retry_after;
use crate::kroger::wire;
use crate::ports::{Response, SendError};
use crate::secret::Secret;
use crate::upstream::app_token;
use crate::upstream::quota::{self, Purpose};
use crate::user::UserId;
use crate::{Context, cart};

const SEND_TIMEOUT: Duration = Duration::from_secs(15);
/// Nothing is begun after that: a cart add may follow, with a deadline of its own.
const DEADLINE: Duration = Duration::from_secs(20);

/// As often as this a call whose token is rejected looks for a newer one.
const MOST_REJECTIONS: u32 = 2;

/// What is read, and on whose behalf.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    pub endpoint: Endpoint,
    pub purpose: Purpose,
    /// Path and query.
    pub path: &'a str,
    pub token: TokenOf<'a>,
    /// What a customer's token must allow; the locations want no scope.
    pub scope: Option<&'static str>,
}

/// Whose token a reading is sent with.
#[derive(Clone, Copy, Debug)]
pub enum TokenOf<'a> {
    /// The app's own, or where it has none that of the user.
    App(&'a UserId),
    /// The user's: what is read is the user's own.
    User(&'a UserId),
}

/// What an answer means.
#[derive(Debug)]
enum Outcome {
    Read(Value),
    TokenRejected,
    ScopeMissing,
    NotFound,
    /// Worth another try.
    Later {
        why: Later,
        retry_after: Option<Duration>,
    },
    Rejected(ApiError),
    Nonsense,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Later {
    NotReached,
    NoAnswer,
    Status(u16),
    OverQuota,
}

/// A token, and what to do where Kroger rejects it.
struct Bearer<'a> {
    token: Secret,
    renewal: Renewal<'a>,
}

enum Renewal<'a> {
    App,
    User(&'a UserId, Need),
}

/// The JSON that Kroger answers.
///
/// # Errors
/// `not_found` where Kroger knows of no such thing; else as each call that
/// sends a token to Kroger's API.
pub fn read(cx: Context<'_>, reading: Reading<'_>) -> Result<Value, Failure> {
    let deadline = cx.ports.monotonic_now() + DEADLINE;
    let mut bearer = Bearer::of(cx, reading.token, deadline)?;
    let (mut tries, mut rejections) = (0, 0_u32);
    loop {
        if cx.ports.monotonic_now() >= deadline {
            return Err(later(reading.endpoint, Later::NotReached, Duration::from_secs(1)));
        }
        let purpose = if tries == 0 && rejections == 0 { reading.purpose } else { Purpose::Repeat };
        quota::spend(cx, reading.endpoint, purpose)?;
        match send(cx, reading, &bearer) {
            Outcome::Read(value) => return Ok(value),
            Outcome::TokenRejected if rejections < MOST_REJECTIONS => {
                rejections += 1;
                bearer = bearer.renewed(cx, deadline)?;
            }
            Outcome::TokenRejected => return Err(bearer.rejected(cx, reading.endpoint)),
            Outcome::Later { why, retry_after } => {
                tries += 1;
                let pause = attempts::pause(tries, retry_after, random(cx));
                let is_worth_waiting =
                    tries < cx.settings.max_refresh_retries.into() && cx.ports.monotonic_now() + pause < deadline;
                if !is_worth_waiting {
                    return Err(later(reading.endpoint, why, retry_after.unwrap_or(pause)));
                }
                cx.ports.sleep(pause);
            }
            Outcome::ScopeMissing => return Err(bearer.scope_missing(cx, reading)),
            Outcome::NotFound => return Err(Cause::NotThere(reading.endpoint).into()),
            Outcome::Rejected(error) => return Err(Cause::Rejected(reading.endpoint, error).into()),
            Outcome::Nonsense => return Err(Cause::Foreign(reading.endpoint).into()),
        }
    }
}

fn send(cx: Context<'_>, reading: Reading<'_>, bearer: &Bearer<'_>) -> Outcome {
    let answer = cx.ports.send(&wire::read_request(reading.path, &bearer.token), SEND_TIMEOUT);
    if let Ok(response) = &answer {
        quota::observe(cx, reading.endpoint, response);
    }
    outcome(cx, answer)
}

fn outcome(cx: Context<'_>, answer: Result<Response, SendError>) -> Outcome {
    let later = |why| Outcome::Later { why, retry_after: None };
    let response = match answer {
        Ok(response) => response,
        Err(SendError::NotSent) => return later(Later::NotReached),
        Err(SendError::Unknown) => return later(Later::NoAnswer),
    };
    let retry_after = retry_after(&response, cx.ports.wall_now());
    match (response.status, ApiError::parse(&response.body)) {
        (200..=299, _) => match serde_json::from_slice(&response.body) {
            Ok(value @ Value::Object(_)) => Outcome::Read(value),
            _ => Outcome::Nonsense,
        },
        (401, _) => Outcome::TokenRejected,
        (429, _) => Outcome::Later { why: Later::OverQuota, retry_after },
        (status @ (408 | 500..=599), _) => Outcome::Later { why: Later::Status(status), retry_after },
        (403, Some(_)) => Outcome::ScopeMissing,
        (404, None) if !response.body.is_empty() => Outcome::Nonsense,
        (404, _) => Outcome::NotFound,
        (400..=499, Some(error)) => Outcome::Rejected(error),
        _ => Outcome::Nonsense,
    }
}

impl<'a> Bearer<'a> {
    fn of(cx: Context<'_>, token: TokenOf<'a>, deadline: Duration) -> Result<Self, Failure> {
        let has_secret = cx.settings.client.as_ref().is_some_and(|client| client.secret.is_some());
        match token {
            TokenOf::App(_) if has_secret || cx.settings.client.is_none() => Self::of_app(cx),
            TokenOf::App(user) | TokenOf::User(user) => Self::of_user(cx, user, Need::Usable, deadline),
        }
    }

    fn of_app(cx: Context<'_>) -> Result<Self, Failure> {
        Ok(Self { token: app_token::access_token(cx)?, renewal: Renewal::App })
    }

    fn of_user(cx: Context<'_>, user: &'a UserId, need: Need, deadline: Duration) -> Result<Self, Failure> {
        let grant =
            refresh::grant_by(cx, user, need, deadline).map_err(|trouble| trouble::failure(cx, user, &trouble))?;
        let renewal = Renewal::User(user, Need::NewerThanRejected(grant.ticket));
        Ok(Self { token: grant.tokens.access_token, renewal })
    }

    fn renewed(self, cx: Context<'_>, deadline: Duration) -> Result<Self, Failure> {
        match self.renewal {
            Renewal::App => {
                let token = app_token::other_than(cx, &self.token)?;
                Ok(Self { token, renewal: Renewal::App })
            }
            Renewal::User(user, need) => Self::of_user(cx, user, need, deadline),
        }
    }

    fn rejected(&self, cx: Context<'_>, endpoint: Endpoint) -> Failure {
        match self.renewal {
            Renewal::User(user, _) => cart::token_rejected(cx, user),
            Renewal::App => Cause::AppTokenRejected(endpoint).into(),
        }
    }

    fn scope_missing(&self, cx: Context<'_>, reading: Reading<'_>) -> Failure {
        let Reading { endpoint, scope, .. } = reading;
        match self.renewal {
            Renewal::App => Cause::AppLacksScope(endpoint, scope).into(),
            Renewal::User(user, _) => {
                let wanted = scope.map_or(cx.settings.scope.clone(), |scope| cx.settings.scope.with(scope));
                Failure::sign_in_needed(Cause::SignInLacksScope(endpoint, scope), user, &wanted)
            }
        }
    }
}

fn later(endpoint: Endpoint, why: Later, pause: Duration) -> Failure {
    const A_MINUTE: Duration = Duration::from_secs(60);

    let pause = pause.max(Duration::from_secs(1));
    match why {
        Later::NotReached => Failure::from(Cause::NotReached(endpoint)).retry_after(pause),
        Later::NoAnswer => Failure::from(Cause::NoAnswer(endpoint)).retry_after(pause),
        Later::Status(status) => Failure::from(Cause::Unavailable(endpoint, status)).retry_after(pause),
        Later::OverQuota => Failure::from(Cause::OverQuota(endpoint, None)).retry_after(pause.max(A_MINUTE)),
    }
}
