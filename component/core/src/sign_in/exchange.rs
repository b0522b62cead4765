//! The end of a sign-in: exchanges the code of the redirect for tokens, or notes
//! that the user declined. Never sends a code twice, and leaves nothing of a code that
//! Kroger refused.

use std::time::Duration;

use crate::Context;
use crate::failure::{AppTrouble, Cause, ExchangeTrouble, Failure, GrantTrouble, SignInTrouble, StoreTrouble};
use crate::grant::due;
use crate::grant::lineage::{Current, Grant, Record, Source, Tokens};
use crate::grant::outside_pair::{self, Exported};
use crate::grant::records::{self, RecordKept, SAVE_TIME};
use crate::grant::refresh;
use crate::kroger::token_response::{TokenResponse, TokenVerdict, verdict};
use crate::kroger::wire;
use crate::ports::{Event, SendError, StoreError};
use crate::secret::Secret;
use crate::sign_in::authorization::{client, refuse_over_anothers};
use crate::sign_in::lifetime::LIFETIME;
use crate::sign_in::pending::{self, Pending, take};
use crate::stopwatch::Stopwatch;
use crate::store::ticket::Root;

const SEND_TIMEOUT: Duration = Duration::from_secs(10);

const _: () = assert!(refresh::CALL_DEADLINE.as_secs() < LIFETIME.as_secs());

/// A sign-in that was completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    pub grant: Grant,
    /// The state of the `.env` mirror.
    pub exported: Exported,
    /// False if the grant waits in memory until the store recovers.
    pub is_stored: bool,
}

/// Ends the sign-in of `state` without a grant: the user declined.
pub fn decline(cx: Context<'_>, state: &str) -> Result<(), Failure> {
    take(cx, state).map(|_| ())
}

/// Exchanges the `code` of the redirect for tokens and stores the grant.
///
/// Takes the root after Kroger gave the tokens: a caller with a made-up code would
/// else leave a root for each try, and every reader of the user would pass over it. The
/// mark that the `state` is used was written just before, so the store can be written.
pub fn complete(cx: Context<'_>, code: &Secret, state: &str) -> Result<SignedIn, Failure> {
    let client = client(cx)?;
    let pending = take(cx, state)?;
    let user = pending.user_id.key();
    let before = records::current(cx, &user).map_err(|_| spent_for_nothing())?;
    refuse_over_anothers(cx, &before)?;
    let verifier = pending::verifier_of(cx, state).map_err(|_| spent_for_nothing())?;
    let request = wire::code_request(&cx.settings.token_path, client, code, &pending.redirect_uri, &verifier);
    let stopwatch = Stopwatch::start(cx);
    let answer = cx.ports.send(&request, SEND_TIMEOUT);
    let now = cx.ports.wall_now();
    let response = granted(answer.map(|response| verdict(&response, now)))?;
    let tokens = Tokens {
        app: Some(cx.settings.app.clone()),
        access_token: response.access_token,
        refresh_token: response.refresh_token,
        obtained_at: now,
        expires_at: stopwatch.expiry(cx, response.expires_in),
        scope: response.scope.or_else(|| Some(pending.scope.clone())),
    };
    let deadline = cx.ports.monotonic_now() + SAVE_TIME;
    let root = insist(cx, deadline, || records::take_root(cx, &user))?;
    // A deletion that missed this root is seen here: it wrote its tombstone or its mark
    // before it looked at the roots for the last time.
    let before = insist(cx, deadline, || records::current(cx, &user))?;
    let is_ended = insist(cx, deadline, || pending::is_ended(cx, &pending))?;
    refuse_if_deleted_since(&pending, &before, is_ended)?;
    let record = Record::sign_in(pending.user_id.clone(), tokens, Source::OAuth, &before);
    store(cx, &pending, root, record)
}

/// Asks the store until `deadline`: without its answer the tokens that Kroger gave are
/// lost.
fn insist<T>(cx: Context<'_>, deadline: Duration, ask: impl Fn() -> Result<T, StoreError>) -> Result<T, Failure> {
    const PAUSE: Duration = Duration::from_millis(250);

    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(_) if cx.ports.monotonic_now() >= deadline => return Err(unsaved()),
            Err(_) => cx.ports.sleep(PAUSE),
        }
    }
}

/// The store failed after the `state` was used, so the same call cannot succeed.
fn spent_for_nothing() -> Failure {
    Cause::Store(StoreTrouble::SignInSpent).into()
}

/// Refuses if the user was deleted since the sign-in began, or had never signed in and
/// signed out.
fn refuse_if_deleted_since(pending: &Pending, current: &Current, is_ended: bool) -> Result<(), Failure> {
    if current.buried() <= pending.history.root && !is_ended {
        return Ok(());
    }
    Err(Cause::Grant(GrantTrouble::ForgottenMeanwhile).into())
}

fn granted(answer: Result<TokenVerdict, SendError>) -> Result<TokenResponse, Failure> {
    match answer {
        Ok(TokenVerdict::Granted(response)) => Ok(response),
        Ok(TokenVerdict::Refused) => Err(Failure::sign_in(SignInTrouble::CodeRefused)),
        Ok(TokenVerdict::ClientRefused) => Err(Cause::App(AppTrouble::ClientRejected).into()),
        Ok(TokenVerdict::RequestRefused(error)) => {
            Err(Cause::Exchange(ExchangeTrouble::Rejected(Box::new(error))).into())
        }
        // No time to wait is told: the `state` is used, so the same call cannot succeed.
        Ok(TokenVerdict::Busy { .. } | TokenVerdict::Failed { .. } | TokenVerdict::Unintelligible)
        | Err(SendError::NotSent) => Err(Cause::Exchange(ExchangeTrouble::Failed).into()),
        Err(SendError::Unknown) => Err(Cause::Exchange(ExchangeTrouble::AnswerLost).into()),
    }
}

fn store(cx: Context<'_>, pending: &Pending, root: Root, record: Record) -> Result<SignedIn, Failure> {
    let user = pending.user_id.key();
    let ticket = root.ticket();
    let deadline = cx.ports.monotonic_now() + SAVE_TIME;
    let kept = records::keep(cx, &user, ticket, &record, deadline).map_err(|_| unsaved())?;
    // A later deletion outranks this root, and this caller must know.
    if let Ok(current) = records::current(cx, &user) {
        refuse_if_deleted_since(pending, &current, false)?;
    }
    let grant = Grant::of(ticket, record).expect("a sign-in is a grant");
    due::enter(cx, &grant);
    cx.ports.log(&Event::SignedIn { user: user.short(), ticket: ticket.to_string() });
    let exported = outside_pair::export(cx, &grant);
    Ok(SignedIn { grant, exported, is_stored: kept == RecordKept::Stored })
}

fn unsaved() -> Failure {
    Cause::Store(StoreTrouble::SignInLost).into()
}
