//! The end of a sign-in: exchanges the code of the redirect for tokens, or notes
//! that the user declined. Never sends a code twice.

use std::time::Duration;

use crate::Context;
use crate::failure::{Code, Failure};
use crate::grant::due;
use crate::grant::lineage::{Current, Grant, Record, Root, Source, Tokens};
use crate::grant::outside_pair::{self, Exported};
use crate::grant::records::{self, Kept};
use crate::grant::refresh::{self, SAVE_TIME};
use crate::kroger::token_response::{TokenResponse, Verdict, verdict};
use crate::kroger::wire;
use crate::ports::{Event, SendError};
use crate::secret::Secret;
use crate::sign_in::authorization::{client, refuse_over_anothers};
use crate::sign_in::pending::{LIFETIME, Pending, taken, used_key};
use crate::stopwatch::Stopwatch;

const SEND_TIMEOUT: Duration = Duration::from_secs(10);
const START_AGAIN: &str = "Start again at /auth/authorize.";

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
/// Takes the root and reads the user's history before it spends the code. After
/// that only one write remains, so little can lose the user's consent.
pub fn complete(cx: Context<'_>, code: &Secret, state: &str) -> Result<SignedIn, Failure> {
    let client = client(cx)?;
    let pending = take(cx, state)?;
    let user = pending.user_id.key();
    let root = records::take_root(cx, &user).map_err(|_| spent_for_nothing())?;
    // A deletion before this root ended the sign-in; a later one sees this root.
    taken(cx, state).map_err(|failure| Failure { retry_after: None, next_step: START_AGAIN.to_owned(), ..failure })?;
    let before = records::current(cx, &user).map_err(|_| spent_for_nothing())?;
    refuse_if_deleted_since(&pending, &before)?;
    refuse_over_anothers(cx, &before)?;
    let request = wire::code_request(&cx.settings.token_path, client, code, &pending.redirect_uri, &pending.verifier);
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
    let record = Record::sign_in(pending.user_id.clone(), tokens, Source::OAuth, &before);
    store(cx, &pending, root, record)
}

/// Takes the pending sign-in of `state`. Only one caller succeeds.
fn take(cx: Context<'_>, state: &str) -> Result<Pending, Failure> {
    const EXPIRED: &str = "the sign-in took longer than 10 minutes; start again at /auth/authorize";
    const USED: &str = "this sign-in was used before; start again at /auth/authorize if you are not signed in";

    let (place, pending) = taken(cx, state)?;
    let now = cx.ports.wall_now();
    if now >= pending.started_at + LIFETIME || now + LIFETIME < pending.started_at {
        return Err(Failure::sign_in(Code::SignInExpired, "state", EXPIRED));
    }
    match cx.ports.increment(&used_key(place, &pending.state_hash), 1) {
        Ok(1) => Ok(pending),
        Ok(_) => Err(Failure::sign_in(Code::SignInUsed, "state", USED)),
        // The counter may have been raised, so the state may be spent.
        Err(_) => Err(spent_for_nothing()),
    }
}

/// The store failed after the `state` was used, so the same call cannot succeed.
fn spent_for_nothing() -> Failure {
    Failure::new(
        Code::StoreUnavailable,
        "The token store cannot be read or written, so the sign-in came to nothing. Nothing was stored.",
        "Check the store's disk space and permissions, then start again at /auth/authorize.",
    )
}

/// Refuses if the user was deleted since the sign-in began. A deletion ends the
/// sign-ins under way, too.
fn refuse_if_deleted_since(pending: &Pending, current: &Current) -> Result<(), Failure> {
    if current.buried() <= pending.root {
        return Ok(());
    }
    Err(Failure::new(
        Code::Reauthorize,
        "The user was forgotten while this sign-in was under way, so nothing was stored; re-authenticate.",
        START_AGAIN,
    ))
}

fn granted(answer: Result<Verdict, SendError>) -> Result<TokenResponse, Failure> {
    match answer {
        Ok(Verdict::Granted(response)) => Ok(response),
        Ok(Verdict::Refused) => Err(Failure::sign_in(
            Code::SignInRefused,
            "code",
            "Kroger refused it as invalid, expired or used; start again at /auth/authorize",
        )),
        Ok(Verdict::ClientRefused) => Err(Failure::client_credentials_rejected()),
        Ok(Verdict::RequestRefused(error)) => Err(Failure::new(
            Code::UpstreamRejected,
            format!("Kroger refused the sign-in: {} ({}). Nothing was stored.", error.reason, error.code),
            "Check that KROGER_REDIRECT_URI and KROGER_SCOPE are those registered with Kroger, then start again.",
        )),
        Ok(Verdict::Busy { .. } | Verdict::Failed { .. } | Verdict::Unintelligible) | Err(SendError::NotSent) => {
            Err(unanswered("Kroger did not complete the sign-in."))
        }
        Err(SendError::Unknown) => Err(unanswered("Kroger's answer to the sign-in was lost.")),
    }
}

/// Names no time to wait: the `state` is used, so the same call cannot succeed.
fn unanswered(what: &str) -> Failure {
    let detail = format!("{what} Nothing was stored, and the link works once: a new sign-in is needed.");
    Failure::new(Code::UpstreamUnavailable, detail, START_AGAIN)
}

fn store(cx: Context<'_>, pending: &Pending, root: Root, record: Record) -> Result<SignedIn, Failure> {
    let user = pending.user_id.key();
    let ticket = root.ticket();
    let deadline = cx.ports.monotonic_now() + SAVE_TIME;
    let kept = records::keep(cx, &user, ticket, &record, deadline).map_err(|_| unsaved())?;
    // A later deletion outranks this root, and this caller must know.
    if let Ok(current) = records::current(cx, &user) {
        refuse_if_deleted_since(pending, &current)?;
    }
    let grant = crate::grant::lineage::current(vec![(ticket, record)]).grant().expect("a sign-in is a grant");
    due::enter(cx, &grant);
    cx.ports.log(&Event::SignedIn { user: user.short(), generation: ticket.step });
    let exported = outside_pair::export(cx, &grant);
    Ok(SignedIn { grant, exported, is_stored: kept == Kept::Stored })
}

fn unsaved() -> Failure {
    Failure::new(
        Code::StoreUnavailable,
        "The sign-in succeeded and could not be saved, so it is lost.",
        "Check the store's disk space and permissions, then start again at /auth/authorize.",
    )
}
