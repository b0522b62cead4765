//! A failure in the words of MCP: a text for a model, with the next tool to call.

use std::time::Duration;

use kroger_core::failure::{Code, Failure};

use crate::words::{self, Ways};

/// The tools that a model can call.
pub(super) const WAYS: Ways = Ways {
    open_link: "Give the user the link to open; then repeat this call",
    start_sign_in: "Call `sign_in` for a link",
    start_again: "Call `sign_in` for a new link",
    paste_address: "Call `complete_sign_in` with the whole address of the page",
    wait: "Repeat this call after the time that is said",
    see_quotas: "`quota_status` shows each quota",
    search_locations: "Call `find_stores` with a zip code; each store has its id",
    forget: "forget it (`sign_out`)",
    refresh: "it is refreshed on next use",
    sign_in: "call `sign_in`",
    run_passes: "the server refreshes while it runs",
    key: "idempotency_key",
};

/// A failed call, as a model reads it.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) code: &'static str,
    pub(super) detail: String,
    pub(super) next_step: String,
    pub(super) retry_after: Option<Duration>,
    /// A link for the user to open.
    pub(super) link: Option<String>,
}

impl From<&Failure> for Told {
    fn from(failure: &Failure) -> Self {
        Self {
            code: word(failure.code),
            detail: words::what(&failure.cause, &WAYS),
            next_step: words::next_step(&failure.next, &WAYS),
            retry_after: failure.retry_after,
            link: None,
        }
    }
}

/// The word of the code.
///
/// A declined sign-in has a word of its own: `invalid_argument` would make a model
/// correct the call and send it again.
fn word(code: Code) -> &'static str {
    match code {
        Code::SignInDeclined => "sign_in_declined",
        code => code.as_str(),
    }
}
