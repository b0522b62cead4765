//! Adding to the cart. Adds are additive and cannot be read back, so an add that
//! Kroger may have processed is never sent again.

pub mod check;
pub mod ledger;
pub mod order;
pub mod recent_adds;

use std::time::Duration;

use crate::Context;
use crate::cart::ledger::{AddOutcome, End, Entry, IdempotencyKey, Passage, Permit};
use crate::cart::order::{Draft, Order};
use crate::failure::{CallTrouble, Cause, Failure, GrantTrouble, QuotaTrouble};
use crate::grant::lineage::Grant;
use crate::grant::refresh::CALL_DEADLINE;
use crate::item::Item;
use crate::json;
use crate::kroger::api_error::ApiError;
use crate::kroger::limits::Endpoint;
use crate::kroger::wire;
use crate::ports::{Event, Request};
use crate::secret::Secret;
use crate::unknown_add::UnknownAdd;
use crate::upstream::call::{self, Answer, Call, FinalAnswer, IfUnknown, IfWithheld, NotProcessed, Terms};
use crate::upstream::quota::Purpose;
use crate::user::UserId;

/// The scope that a sign-in must have.
const SCOPE: &str = "cart.basic:write";

/// Which call added the items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// By this call, with this grant.
    Now(Box<Grant>),
    /// By an earlier call with the same idempotency key.
    Before,
}

/// Finds the products that the items of `draft` mean, and adds them as [`add`] does.
///
/// A repeat with the same `key` is answered without asking Kroger. The items of a user
/// who is not signed in are not looked up.
pub fn add_draft(
    cx: Context<'_>,
    user: &UserId,
    draft: &Draft,
    key: Option<&IdempotencyKey>,
) -> Result<(Order, Added), Failure> {
    let deadline = cx.ports.monotonic_now() + CALL_DEADLINE;
    let order = if let Some(order) = draft.without_asking(cx, user, key) {
        order
    } else {
        call::users_token(cx, user, None, deadline)?;
        draft.resolve(cx, user)?
    };
    if cx.ports.monotonic_now() >= deadline {
        return Err(look_up_took_too_long());
    }
    let added = add_until(cx, user, &order.items, key, deadline)?;
    Ok((order, added))
}

/// Adds `items` to the user's cart, all or none, in one request.
///
/// With a `key`, repeats of the call add nothing once one call added the items or may
/// have added them. They give the result of that call.
pub fn add(cx: Context<'_>, user: &UserId, items: &[Item], key: Option<&IdempotencyKey>) -> Result<Added, Failure> {
    add_until(cx, user, items, key, cx.ports.monotonic_now() + CALL_DEADLINE)
}

/// Adds as [`add`] does. Begins no add after `deadline`.
fn add_until(
    cx: Context<'_>,
    user: &UserId,
    items: &[Item],
    key: Option<&IdempotencyKey>,
    deadline: Duration,
) -> Result<Added, Failure> {
    order::check_count(items.len())?;
    let entry = key.map(|key| Entry::new(cx, user, key, items)).transpose()?;
    // A replay needs no token and no quota: a caller learns what became of its add even
    // if the sign-in has ended since.
    if let Some(entry) = &entry
        && let Some(end) = entry.earlier()?
    {
        return replay(end);
    }
    call::make(cx, &mut CartAdd { user, items, entry, permit: None, deadline })
}

/// A cart add under way.
struct CartAdd<'a> {
    user: &'a UserId,
    items: &'a [Item],
    /// None: the caller gave no key.
    entry: Option<Entry<'a>>,
    /// The ledger's permit for the send that comes next.
    permit: Option<Permit>,
    deadline: Duration,
}

impl Call for CartAdd<'_> {
    type Bearer = Grant;
    type Done = Added;

    fn terms(&self) -> Terms {
        Terms {
            endpoint: Endpoint::Cart,
            user: self.user.key(),
            purpose: Purpose::Cart,
            deadline: self.deadline,
            if_unknown: IfUnknown::Stop,
            if_withheld: IfWithheld::Wait,
        }
    }

    fn bearer(&self, cx: Context<'_>, rejected: Option<&Grant>) -> Result<Grant, Failure> {
        call::users_token(cx, self.user, rejected, self.deadline)
    }

    fn request(&self, access_token: &Secret) -> Request {
        wire::cart_add_request(access_token, self.items)
    }

    /// The ledger's permit, or the end of an earlier call with the same key.
    fn admit(&mut self) -> Result<Option<Added>, Failure> {
        match self.entry.as_ref().map(Entry::admit).transpose()? {
            Some(Passage::Replay(end)) => return replay(end).map(Some),
            Some(Passage::Send(permit)) => self.permit = Some(permit),
            None => {}
        }
        Ok(None)
    }

    fn note(&mut self, answer: &Answer) {
        if let (Some(entry), Some(permit)) = (&self.entry, self.permit.take()) {
            entry.conclude(&permit, for_ledger(answer));
        }
    }

    fn end(&self, cx: Context<'_>, grant: Grant, answer: FinalAnswer) -> Result<Added, Failure> {
        match answer {
            FinalAnswer::Success(body) if is_confirmation(&body) => {
                recent_adds::note(cx, self.user, self.items);
                Ok(Added::Now(Box::new(grant)))
            }
            FinalAnswer::Success(_) => Err(self.outcome_unknown(cx, UnknownAdd::Foreign)),
            FinalAnswer::ScopeMissing => Err(scope_missing(cx, self.user)),
            FinalAnswer::NotFound(None) => {
                Err(Cause::Call(Endpoint::Cart, CallTrouble::Rejected(Box::new(not_found()))).into())
            }
            FinalAnswer::NotFound(Some(error)) | FinalAnswer::Rejected(error) => {
                Err(Cause::Call(Endpoint::Cart, CallTrouble::Rejected(Box::new(error))).into())
            }
            FinalAnswer::Foreign => Err(Cause::Call(Endpoint::Cart, CallTrouble::Foreign).into()),
        }
    }

    fn not_processed(&self, why: NotProcessed, asked_for: Option<Duration>, pause: Duration) -> Failure {
        not_processed(why, asked_for, pause)
    }

    fn unknown(&self, cx: Context<'_>, why: call::Unknown, _: Option<Duration>, _: Option<Duration>) -> Failure {
        self.outcome_unknown(cx, why.into())
    }

    fn too_late(&self) -> Failure {
        too_late()
    }
}

impl CartAdd<'_> {
    fn outcome_unknown(&self, cx: Context<'_>, why: UnknownAdd) -> Failure {
        cx.ports.log(&Event::AddUnknown { user: self.user.key().short(), items: self.items.len() });
        Cause::AddUnknown(why).into()
    }
}

impl From<call::Unknown> for UnknownAdd {
    fn from(why: call::Unknown) -> Self {
        match why {
            call::Unknown::NoAnswer => Self::NoAnswer,
            call::Unknown::Status(status) => Self::Status(status),
        }
    }
}

/// What the ledger keeps of an answer.
fn for_ledger(answer: &Answer) -> AddOutcome {
    match answer {
        Answer::Final(FinalAnswer::Success(body)) if is_confirmation(body) => AddOutcome::Ended(End::Added),
        Answer::Final(FinalAnswer::Success(_)) => AddOutcome::Ended(End::Unknown(UnknownAdd::Foreign)),
        Answer::Final(FinalAnswer::Foreign) => AddOutcome::Ended(End::Unintelligible),
        Answer::Unknown { why, .. } => AddOutcome::Ended(End::Unknown((*why).into())),
        Answer::TokenRejected
        | Answer::NotProcessed { .. }
        | Answer::Final(FinalAnswer::ScopeMissing | FinalAnswer::NotFound(_) | FinalAnswer::Rejected(_)) => {
            AddOutcome::NothingDone
        }
    }
}

fn replay(end: End) -> Result<Added, Failure> {
    match end {
        End::Added => Ok(Added::Before),
        End::Unknown(why) => Err(Failure::from(Cause::AddUnknown(why)).replayed()),
        End::Unintelligible => Err(Failure::from(Cause::Call(Endpoint::Cart, CallTrouble::Foreign)).replayed()),
    }
}

/// Kroger answers an add with an empty body or an object. Another party's page does
/// not confirm an add.
fn is_confirmation(body: &[u8]) -> bool {
    body.trim_ascii().is_empty() || json::answer::<serde_json::Value>(body).is_some_and(|value| value.is_object())
}

fn not_found() -> ApiError {
    ApiError { code: "404".to_owned(), reason: "Kroger does not know this call or item".to_owned() }
}

fn not_processed(why: NotProcessed, asked_for: Option<Duration>, pause: Duration) -> Failure {
    const A_SECOND: Duration = Duration::from_secs(1);
    const A_MINUTE: Duration = Duration::from_secs(60);

    match why {
        NotProcessed::OverQuota => {
            let wait = asked_for.unwrap_or(A_MINUTE).max(A_SECOND);
            Failure::from(Cause::Quota(Endpoint::Cart, QuotaTrouble::Exceeded(asked_for))).retry_after(wait)
        }
        NotProcessed::NotReached => {
            Failure::from(Cause::Call(Endpoint::Cart, CallTrouble::NotReached)).retry_after(pause.max(A_SECOND))
        }
        NotProcessed::Unavailable => {
            Failure::from(Cause::Call(Endpoint::Cart, CallTrouble::Unavailable(503))).retry_after(pause.max(A_SECOND))
        }
    }
}

/// The look-up took all of the time. Nothing was sent.
fn look_up_took_too_long() -> Failure {
    Failure::from(Cause::Call(Endpoint::Products, CallTrouble::NotReached)).retry_after(Duration::from_secs(1))
}

/// A refresh took all of the time. The host might cut off an add that is sent now.
fn too_late() -> Failure {
    Failure::from(Cause::Grant(GrantTrouble::RefreshTookTooLong)).retry_after(Duration::from_secs(1))
}

fn scope_missing(cx: Context<'_>, user: &UserId) -> Failure {
    let wanted = cx.settings.scope.with(SCOPE);
    Failure::sign_in_needed(Cause::Call(Endpoint::Cart, CallTrouble::SignInLacksScope(Some(SCOPE))), user, &wanted)
}

#[cfg(test)]
mod tests;
