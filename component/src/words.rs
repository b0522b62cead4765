//! The words for a failure and for what a validation found, shared by the faces.
//!
//! The facts come from the core. A failure of the core has no sentence, but some
//! phrases are the core's own: what an argument allows, the question about a mistaken
//! barcode, how the last refresh failed, and the notes and concerns of answers that
//! succeed.
//!
//! A face gives [`Ways`]: its own names for what a caller can do. So no face ever
//! names another one's routes, tools or commands. Each subject has one short total
//! `match` in a file below.

mod app;
mod argument;
mod call;
mod cause;
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
mod ways;

use kroger_core::failure::NextStep;
use kroger_core::service::finding::Finding;
use kroger_core::service::validation::{Check, CheckSubject, Validation};

pub(crate) use cause::what;
pub(crate) use grant::REFRESH_TOKEN_REFUSED;
pub(crate) use ways::{OF_ANOTHER_APP, Ways};

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
    let each = |(subject, check): (CheckSubject<'_>, &Check)| {
        let of = match subject {
            CheckSubject::Server => "the server".to_owned(),
            CheckSubject::App => "the app's own token".to_owned(),
            CheckSubject::User(user) => format!("the token of {}", user.as_str()),
        };
        format!("{of}: {}", finding(&check.finding, ways))
    };
    found.issues().into_iter().map(each).collect()
}
