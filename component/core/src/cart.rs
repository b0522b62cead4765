//! Adding to the cart. Adds are additive and cannot be read back, so nothing
//! whose outcome is unknown is ever sent again.

pub mod check;
pub mod ledger;
pub mod order;
pub mod recent_adds;
pub mod unknown;

use std::time::Duration;

use crate::Context;
use crate::cart::ledger::{Admission, End, Entry, IdempotencyKey};
use crate::cart::unknown::Unknown;
use crate::failure::{Cause, Failure};
use crate::grant::lineage::{Current, Grant};
use crate::grant::refresh::{self, CALL_DEADLINE, Need, random};
use crate::grant::{attempts, records, trouble};
use crate::item::Item;
use crate::kroger::api_error::ApiError;
use crate::kroger::limits::Endpoint;
use crate::kroger::retry_after::retry_after;
use crate::kroger::wire;
use crate::ports::{Event, Response, SendError};
use crate::upstream::quota::{self, Purpose};
use crate::user::UserId;

const SEND_TIMEOUT: Duration = Duration::from_secs(15);

/// What a sign-in must allow.
const SCOPE: &str = "cart.basic:write";

/// As often as this a call whose token is rejected looks for a newer one.
const MOST_REJECTIONS: u32 = 4;

/// The most items of one request.
pub const MOST_ITEMS: usize = 100;

/// That the items were added, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// By this call, with this grant.
    Now(Box<Grant>),
    /// By an earlier call with the same idempotency key.
    Before,
}

/// What became of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Added,
    /// An earlier call with the same key ended so; nothing was sent.
    Replayed(End),
    /// The quota forbids it; nothing was sent.
    Withheld(Failure),
    TokenRejected,
    ScopeMissing,
    /// Worth another try.
    NotProcessed {
        why: NotProcessed,
        retry_after: Option<Duration>,
    },
    /// It may have been added.
    Unknown(Unknown),
    Rejected(ApiError),
    Nonsense,
}

/// Why an add was certainly not processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotProcessed {
    NotReached,
    Busy,
    OverQuota,
}

/// Adds `items` to the user's cart, all or none, in one request.
///
/// With a `key`, repeats of the call add nothing: they answer what the first
/// that came through did.
pub fn add(cx: Context<'_>, user: &UserId, items: &[Item], key: Option<&IdempotencyKey>) -> Result<Added, Failure> {
    if items.is_empty() || items.len() > MOST_ITEMS {
        return Err(Failure::invalid_argument("items", "1 to 100 items"));
    }
    let entry = key.map(|key| Entry::new(cx, user, key, items)).transpose()?;
    if let Some(entry) = &entry
        && let Some(end) = entry.earlier()?
    {
        return replay(end);
    }
    let deadline = cx.ports.monotonic_now() + CALL_DEADLINE;
    let mut need = Need::Usable;
    let (mut tries, mut rejections) = (0, 0);
    loop {
        let grant =
            refresh::grant_by(cx, user, need, deadline).map_err(|trouble| trouble::failure(cx, user, &trouble))?;
        if cx.ports.monotonic_now() >= deadline {
            return Err(too_late());
        }
        let purpose = if tries == 0 { Purpose::Cart } else { Purpose::Repeat };
        let outcome = match quota::spend(cx, Endpoint::Cart, purpose) {
            Ok(()) => send(cx, &grant, items, entry.as_ref())?,
            Err(failure) => Outcome::Withheld(failure),
        };
        tries += 1;
        match outcome {
            Outcome::Added => {
                recent_adds::note(cx, user, items);
                return Ok(Added::Now(Box::new(grant)));
            }
            Outcome::Replayed(end) => return replay(end),
            Outcome::TokenRejected => {
                rejections += 1;
                if rejections > 1 && (rejections > MOST_REJECTIONS || is_current(cx, user, &grant)) {
                    return Err(token_rejected(cx, user));
                }
                need = Need::NewerThanRejected(grant.ticket);
            }
            Outcome::Withheld(failure) => wait(cx, tries, failure.retry_after, deadline).map_err(|_| failure)?,
            Outcome::NotProcessed { why, retry_after } => {
                wait(cx, tries, retry_after, deadline).map_err(|pause| not_processed(why, retry_after, pause))?;
            }
            Outcome::ScopeMissing => return Err(scope_missing(cx, user)),
            Outcome::Unknown(why) => {
                cx.ports.log(&Event::AddUnknown { user: user.key().short(), items: items.len() });
                return Err(Cause::AddUnknown(why).into());
            }
            Outcome::Rejected(error) => return Err(Cause::Rejected(Endpoint::Cart, error).into()),
            Outcome::Nonsense => return Err(Cause::Foreign(Endpoint::Cart).into()),
        }
    }
}

/// Sends the add once, if the ledger has nothing against it.
fn send(cx: Context<'_>, grant: &Grant, items: &[Item], entry: Option<&Entry<'_>>) -> Result<Outcome, Failure> {
    let request = wire::cart_add_request(&grant.tokens.access_token, items);
    let permit = match entry.map(Entry::admit).transpose()? {
        Some(Admission::Replay(end)) => return Ok(Outcome::Replayed(end)),
        Some(Admission::Send(permit)) => Some(permit),
        None => None,
    };
    let answer = cx.ports.send(&request, SEND_TIMEOUT);
    let outcome = outcome(cx, &answer);
    if let (Some(entry), Some(permit)) = (entry, &permit) {
        entry.conclude(permit, outcome.for_ledger());
    }
    if let Ok(response) = &answer {
        quota::observe(cx, Endpoint::Cart, response);
    }
    Ok(outcome)
}

/// Waits for the next try; an error is the pause that is not worth waiting for.
fn wait(cx: Context<'_>, tries: u64, asked_for: Option<Duration>, deadline: Duration) -> Result<(), Duration> {
    let pause = attempts::pause(tries, asked_for, random(cx));
    if tries >= cx.settings.max_refresh_retries.into() || cx.ports.monotonic_now() + pause >= deadline {
        return Err(pause);
    }
    cx.ports.sleep(pause);
    Ok(())
}

fn replay(end: End) -> Result<Added, Failure> {
    match end {
        End::Added => Ok(Added::Before),
        End::Unknown(why) => Err(Failure::from(Cause::AddUnknown(why)).replayed()),
        End::Unintelligible => Err(Failure::from(Cause::Foreign(Endpoint::Cart)).replayed()),
    }
}

impl Outcome {
    fn for_ledger(&self) -> ledger::Outcome {
        match self {
            Self::Added => ledger::Outcome::Ended(End::Added),
            Self::Replayed(end) => ledger::Outcome::Ended(*end),
            Self::Unknown(why) => ledger::Outcome::Ended(End::Unknown(*why)),
            Self::Nonsense => ledger::Outcome::Ended(End::Unintelligible),
            Self::Withheld(_)
            | Self::TokenRejected
            | Self::ScopeMissing
            | Self::NotProcessed { .. }
            | Self::Rejected(_) => ledger::Outcome::NothingDone,
        }
    }
}

/// Whether `grant` should have served: nothing has taken its place, for some
/// servers end an access token when it is refreshed, and it has not expired
/// under this call. A refresh beside a call, or a slow call, is no rejection.
fn is_current(cx: Context<'_>, user: &UserId, grant: &Grant) -> bool {
    let is_newest = matches!(records::current(cx, &user.key()), Ok(Current::Grant(now)) if now.ticket == grant.ticket);
    is_newest && grant.tokens.are_usable(cx.ports.wall_now())
}

fn outcome(cx: Context<'_>, answer: &Result<Response, SendError>) -> Outcome {
    let response = match answer {
        Ok(response) => response,
        Err(SendError::NotSent) => {
            return Outcome::NotProcessed { why: NotProcessed::NotReached, retry_after: None };
        }
        Err(SendError::Unknown) => return Outcome::Unknown(Unknown::NoAnswer),
    };
    let retry_after = retry_after(response, cx.ports.wall_now());
    match (response.status, ApiError::parse(&response.body)) {
        (200..=299, _) if is_confirmation(&response.body) => Outcome::Added,
        (200..=299, _) => Outcome::Unknown(Unknown::Foreign),
        (401, _) => Outcome::TokenRejected,
        (429, _) => Outcome::NotProcessed { why: NotProcessed::OverQuota, retry_after },
        (503, _) => Outcome::NotProcessed { why: NotProcessed::Busy, retry_after },
        (status @ (408 | 500..=599), _) => Outcome::Unknown(Unknown::Status(status)),
        (403, Some(_)) => Outcome::ScopeMissing,
        (400..=499, Some(error)) => Outcome::Rejected(error),
        (404, None) if response.body.is_empty() => Outcome::Rejected(ApiError {
            code: "404".to_owned(),
            reason: "Kroger does not know this call or item".to_owned(),
        }),
        _ => Outcome::Nonsense,
    }
}

/// Kroger answers an add with nothing; a page of somebody else's does not
/// confirm it.
fn is_confirmation(body: &[u8]) -> bool {
    body.trim_ascii().is_empty()
        || serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|value| value.is_object())
}

pub(super) fn token_rejected(cx: Context<'_>, user: &UserId) -> Failure {
    Failure::sign_in_needed(Cause::UserTokenRejected, user, &cx.settings.scope)
}

fn not_processed(why: NotProcessed, asked_for: Option<Duration>, pause: Duration) -> Failure {
    const A_SECOND: Duration = Duration::from_secs(1);
    const A_MINUTE: Duration = Duration::from_secs(60);

    match why {
        NotProcessed::OverQuota => {
            let wait = asked_for.unwrap_or(A_MINUTE).max(A_SECOND);
            Failure::from(Cause::OverQuota(Endpoint::Cart, asked_for)).retry_after(wait)
        }
        NotProcessed::NotReached => Failure::from(Cause::NotReached(Endpoint::Cart)).retry_after(pause.max(A_SECOND)),
        NotProcessed::Busy => Failure::from(Cause::Unavailable(Endpoint::Cart, 503)).retry_after(pause.max(A_SECOND)),
    }
}

/// A refresh took all of the time. What is sent now might be cut off by the host.
fn too_late() -> Failure {
    Failure::from(Cause::RefreshTookTooLong).retry_after(Duration::from_secs(1))
}

fn scope_missing(cx: Context<'_>, user: &UserId) -> Failure {
    let wanted = cx.settings.scope.with(SCOPE);
    Failure::sign_in_needed(Cause::SignInLacksScope(Endpoint::Cart, Some(SCOPE)), user, &wanted)
}

#[cfg(test)]
mod tests;
