//! Adding to the cart. Adds are additive and cannot be read back, so an add that
//! Kroger may have processed is never sent again.

pub mod ledger;
pub mod order;
pub mod recent_adds;

use std::time::Duration;

use crate::Context;
use crate::cart::ledger::{AddOutcome, End, Entry, IdempotencyKey, Passage, Permit};
use crate::failure::{Code, Failure};
use crate::grant::lineage::Grant;
use crate::grant::refresh::CALL_DEADLINE;
use crate::item::Item;
use crate::kroger::{self, ApiError};
use crate::ports::{Event, Request};
use crate::secret::Secret;
use crate::sign_in::authorization;
use crate::upstream::call::{self, Answer, Call, FinalAnswer, IfUnknown, IfWithheld, NotProcessed, Terms, Unknown};
use crate::upstream::quota::{Endpoint, Purpose};
use crate::user::UserId;

/// The scope that a sign-in must have.
const SCOPE: &str = "cart.basic:write";

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

/// Adds `items` to the user's cart, all or none, in one request.
///
/// With a `key`, repeats of the call add nothing. They answer what the first call
/// did that came through.
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
        kroger::cart_add_request(access_token, self.items)
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
            FinalAnswer::Success(_) => Err(self.outcome_unknown(cx, ledger::Unknown::Foreign)),
            FinalAnswer::ScopeMissing => Err(scope_missing(cx, self.user)),
            FinalAnswer::NotFound(None) => Err(rejected(&not_found())),
            FinalAnswer::NotFound(Some(error)) | FinalAnswer::Rejected(error) => Err(rejected(&error)),
            FinalAnswer::Foreign => Err(nonsense()),
        }
    }

    fn not_processed(&self, why: NotProcessed, asked_for: Option<Duration>, pause: Duration) -> Failure {
        not_processed(why, asked_for, pause)
    }

    fn unknown(&self, cx: Context<'_>, why: Unknown, _: Option<Duration>, _: Option<Duration>) -> Failure {
        self.outcome_unknown(cx, why.into())
    }

    fn too_late(&self) -> Failure {
        too_late()
    }
}

impl CartAdd<'_> {
    fn outcome_unknown(&self, cx: Context<'_>, why: ledger::Unknown) -> Failure {
        cx.ports.log(&Event::AddUnknown { user: self.user.key().short(), items: self.items.len() });
        outcome_unknown(why)
    }
}

impl From<Unknown> for ledger::Unknown {
    fn from(why: Unknown) -> Self {
        match why {
            Unknown::NoAnswer => Self::NoAnswer,
            Unknown::Status(status) => Self::Status(status),
        }
    }
}

/// What the ledger keeps of an answer.
fn for_ledger(answer: &Answer) -> AddOutcome {
    match answer {
        Answer::Final(FinalAnswer::Success(body)) if is_confirmation(body) => AddOutcome::Ended(End::Added),
        Answer::Final(FinalAnswer::Success(_)) => AddOutcome::Ended(End::Unknown(ledger::Unknown::Foreign)),
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
        End::Unknown(why) => Err(outcome_unknown(why).replayed()),
        End::Unintelligible => Err(nonsense().replayed()),
    }
}

/// Kroger answers an add with an empty body or an object. Another party's page does
/// not confirm an add.
fn is_confirmation(body: &[u8]) -> bool {
    body.trim_ascii().is_empty()
        || serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|value| value.is_object())
}

fn not_processed(why: NotProcessed, asked_for: Option<Duration>, pause: Duration) -> Failure {
    const LATER: &str = "Try again after the time that `retry_after` says.";
    const A_SECOND: Duration = Duration::from_secs(1);
    const A_MINUTE: Duration = Duration::from_secs(60);

    match why {
        NotProcessed::OverQuota => Failure::new(Code::QuotaExhausted, over_quota(asked_for), LATER)
            .retry_after(asked_for.unwrap_or(A_MINUTE).max(A_SECOND)),
        NotProcessed::NotReached => {
            let detail = "Kroger's cart (PUT /v1/cart/add) could not be reached. Nothing was added.";
            Failure::new(Code::UpstreamUnavailable, detail, LATER).retry_after(pause.max(A_SECOND))
        }
        NotProcessed::Busy => {
            let detail = "Kroger's cart (PUT /v1/cart/add) is not available: it answered 503. Nothing was added.";
            Failure::new(Code::UpstreamUnavailable, detail, LATER).retry_after(pause.max(A_SECOND))
        }
    }
}

/// A refresh took all of the time. The host might cut off an add that is sent now.
fn too_late() -> Failure {
    let detail = "The sign-in was renewed, and that took too long to go on with the call. Nothing was added.";
    Failure::new(Code::UpstreamUnavailable, detail, "Send the call again.").retry_after(Duration::from_secs(1))
}

fn over_quota(asked_for: Option<Duration>) -> String {
    let until = match asked_for {
        Some(wait) => format!("and asks to come back in {} seconds", wait.as_secs().max(1)),
        None => "and does not say until when; an app has 5,000 calls a day".to_owned(),
    };
    format!("Kroger accepts no more cart adds for now (PUT /v1/cart/add) {until}. Nothing was added.")
}

fn scope_missing(cx: Context<'_>, user: &UserId) -> Failure {
    let mut failure = Failure::new(
        Code::ScopeMissing,
        "The sign-in does not allow adding to the cart: the scope `cart.basic:write` is missing. Nothing was added.",
        "Open the authorization URL and let the user agree to cart access; then repeat the call.",
    );
    failure.authorization_url = authorization::shared_link(cx, user, &cx.settings.scope.with(SCOPE));
    failure
}

fn outcome_unknown(why: ledger::Unknown) -> Failure {
    let what = match why {
        ledger::Unknown::NoAnswer => "Kroger's answer did not arrive".to_owned(),
        ledger::Unknown::Status(status) => format!("Kroger answered {status}, which does not say whether it was done"),
        ledger::Unknown::Abandoned => "the process that sent it ended before it told of an answer".to_owned(),
        ledger::Unknown::Foreign => "what confirmed it is not Kroger's cart, perhaps a proxy's page".to_owned(),
    };
    Failure::new(
        Code::OutcomeUnknown,
        format!("The cart add was sent and {what}, so the items may be in the cart."),
        "Do not send the items again; look at the cart in the Kroger app first.",
    )
}

fn not_found() -> ApiError {
    ApiError { code: "404".to_owned(), reason: "Kroger does not know this call or item".to_owned() }
}

fn rejected(error: &ApiError) -> Failure {
    Failure::new(
        Code::UpstreamRejected,
        format!("Kroger refused the cart add: {} ({}). Nothing was added.", error.reason, error.code),
        "Correct the items and send the call again.",
    )
}

fn nonsense() -> Failure {
    Failure::new(
        Code::UpstreamNonsense,
        "Something other than Kroger's API answered the cart add, so it was most likely not added.",
        "Check KROGER_API_BASE_URL and whether a proxy or a sign-in page of the network stands between; then look at the cart in the Kroger app.",
    )
}

#[cfg(test)]
mod tests;
