//! The words for a failure and for what a validation found, shared by the faces.
//!
//! The facts come from the core, which writes no sentence. A face gives [`Ways`]:
//! its own names for what a caller can do. So no face ever names another one's
//! routes, tools or commands. Each subject has one short total `match` in a file
//! below.

mod app;
mod call;
#[cfg(test)]
pub(crate) mod commands;
mod finding;
mod grant;
mod next_step;
mod sign_in;
mod store;
#[cfg(test)]
mod tests;
#[cfg(any(test, target_family = "wasm"))]
pub(crate) mod typed;

use kroger_core::failure::{Cause, KeyTrouble, Missing, NextStep};
use kroger_core::service::finding::Finding;
use kroger_core::service::validation::{Check, Subject, Validation};
use kroger_core::unknown_add::Unknown;

/// A face's own names for what its caller can do. None ends with a full stop.
pub(crate) struct Ways {
    /// If a sign-in link comes with the failure.
    pub(crate) open_link: &'static str,
    /// If no link comes with the failure.
    pub(crate) start_sign_in: &'static str,
    /// If a sign-in failed.
    pub(crate) start_again: &'static str,
    /// If the sign-in ends with the address of its last page.
    pub(crate) paste_address: &'static str,
    /// Repeats the call later. The time is beside the words.
    pub(crate) wait: &'static str,
    pub(crate) see_quotas: &'static str,
    pub(crate) search_locations: &'static str,
    /// Forgets the user's sign-in.
    pub(crate) forget: &'static str,
    /// Refreshes the user's token.
    pub(crate) refresh: &'static str,
    /// Signs the user in, in the middle of a sentence.
    pub(crate) sign_in: &'static str,
    /// Starts the periodic refresh, in the middle of a sentence.
    pub(crate) run_passes: &'static str,
    /// The idempotency key's name.
    pub(crate) key: &'static str,
}

/// The words for a grant that another app or server gave.
pub(crate) const OF_ANOTHER_APP: &str =
    "it is of another app or server: run with the settings that it was made with, or with another KROGER_STORE";

/// Tells what happened, in one or two sentences that end with a full stop.
pub(crate) fn what(cause: &Cause, ways: &Ways) -> String {
    match cause {
        Cause::Grant(trouble) => grant::trouble(*trouble),
        Cause::Call(endpoint, trouble) => call::trouble(*endpoint, trouble),
        Cause::Quota(endpoint, trouble) => call::quota(*endpoint, *trouble),
        Cause::App(trouble) => app::trouble(trouble),
        Cause::AddUnknown(why) => {
            format!("The cart add was sent and {}, so the items may be in the cart.", why_unknown(*why))
        }
        Cause::Argument { field, allowed } => argument(field, allowed),
        Cause::Key(trouble) => key(*trouble, ways.key),
        Cause::SignIn(trouble) => sign_in::trouble(*trouble),
        Cause::Exchange(trouble) => sign_in::exchange(trouble),
        Cause::Store(trouble) => store::trouble(*trouble),
        Cause::NotFound(what) => missing(what),
    }
}

/// Tells what to do next, in one or two sentences.
pub(crate) fn next_step(next: &NextStep, ways: &Ways) -> String {
    format!("{}.", next_step::step(next, ways))
}

/// Tells what a check found. If that is not good, also what to do.
pub(crate) fn finding(found: &Finding, ways: &Ways) -> String {
    match found {
        Finding::Store(found) => finding::store(*found),
        Finding::Pass(found) => finding::pass(*found, ways),
        Finding::Credentials(found) => finding::credentials(*found).to_owned(),
        Finding::AccessToken(found) => finding::access_token(*found, ways),
        Finding::Scope(found) => finding::scope(found),
        Finding::RefreshToken(found) => finding::refresh_token(*found, ways),
        Finding::Lineage(found) => finding::lineage(*found),
        Finding::Online(found) => finding::online(found, ways),
    }
}

/// Tells each issue, with the subject of its check.
pub(crate) fn issues(found: &Validation, ways: &Ways) -> Vec<String> {
    let each = |(subject, check): (Subject<'_>, &Check)| {
        let of = match subject {
            Subject::Server => "the server".to_owned(),
            Subject::App => "the app's own token".to_owned(),
            Subject::User(user) => format!("the token of {}", user.as_str()),
        };
        format!("{of}: {}", finding(&check.finding, ways))
    };
    found.issues().into_iter().map(each).collect()
}

fn argument(field: &str, allowed: &str) -> String {
    // A list ends without a full stop.
    let end = if allowed.ends_with(['.', '?']) || allowed.contains('\n') { "" } else { "." };
    format!("`{field}` is not valid: {allowed}{end}")
}

fn key(trouble: KeyTrouble, key: &str) -> String {
    match trouble {
        KeyTrouble::Expired => {
            argument(key, "it was used more than 24 hours ago, and nothing was added with it; use a new key")
        }
        KeyTrouble::TriedTooOften => {
            argument(key, "it was used for 100 tries, none of which added anything; use a new key")
        }
        KeyTrouble::Conflict => format!("This {key} was used before, with other items. This call sent nothing."),
        KeyTrouble::InFlight => format!("A call with this {key} is still running. This call sent nothing."),
    }
}

fn missing(what: &Missing) -> String {
    match what {
        Missing::User => "No token is stored for this user.".to_owned(),
        Missing::Product(upc, mistaken) => {
            let question = mistaken.as_ref().map(|mistaken| format!(" {}", mistaken.question())).unwrap_or_default();
            format!("Kroger knows no product {}.{question}", upc.as_str())
        }
        Missing::Location(id) => format!("Kroger has no store {id}."),
        Missing::Named(endpoint) => format!("Kroger's {} have no entry for this call.", endpoint.as_str()),
    }
}

fn why_unknown(why: Unknown) -> String {
    match why {
        Unknown::NoAnswer => "Kroger's answer did not arrive".to_owned(),
        Unknown::Status(status) => format!("Kroger answered {status}, which does not say whether it was done"),
        Unknown::Abandoned => "the process that sent it ended before it recorded an answer".to_owned(),
        Unknown::Foreign => "the confirmation is not Kroger's; it may be a proxy's page".to_owned(),
    }
}
