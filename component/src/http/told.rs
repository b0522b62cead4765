//! A failure in the words of the HTTP routes. The first system's texts stay word
//! for word, since its callers look for them.

use kroger_core::failure::{Cause, Code, Failure, GrantTrouble};

use crate::words::{self, REFRESH_TOKEN_REFUSED, Ways};

/// The routes that a caller can use.
pub(super) const WAYS: Ways = Ways {
    open_link: "Open the authorization URL and let the user sign in and agree; then repeat the call",
    start_sign_in: "Sign the user in at /auth/authorize",
    start_again: "Start again at /auth/authorize",
    paste_address: "Give the whole address of this page to the assistant that began the sign-in",
    wait: "Try again after the time that `retry_after` says",
    see_quotas: "GET /admin/rate-limits shows each quota",
    search_locations: "Search for stores near a zip code; each has its id",
    forget: "forget it (DELETE /admin/tokens/{user_id})",
    refresh: "refresh it with POST /admin/tokens/refresh",
    sign_in: "re-authenticate at /auth/authorize",
    run_passes: "the server refreshes while it runs, so keep it running",
    key: "Idempotency-Key",
};

/// The four steps of the first system's page, for an agent to follow.
const AGENT_STEPS: &str = "Action required for LLM agent:\n\
    1. Navigate to /auth/authorize to get OAuth URL\n\
    2. Direct user to complete authentication\n\
    3. New tokens will be automatically saved\n\
    4. Cart operations will resume working";

/// Tells what happened, in the first system's words where it had some.
pub(super) fn detail(failure: &Failure) -> String {
    let what = words::what(&failure.cause, &WAYS);
    match (failure.code, &failure.cause) {
        (_, Cause::Grant(GrantTrouble::ForgottenMeanwhile)) => what,
        // Without a full stop, as the first system had it.
        (_, Cause::Grant(GrantTrouble::RefreshTokenRefused { probably_spent: false })) => {
            with_steps(REFRESH_TOKEN_REFUSED)
        }
        (Code::Reauthorize, _) => with_steps(&what),
        (_, Cause::Grant(GrantTrouble::AccessTokenRejected)) => {
            format!("{what}\n\nRecovery: Use /auth/authorize to re-authenticate")
        }
        (_, Cause::Grant(GrantTrouble::RefreshFailed { .. })) => format!(
            "{what}\n\nAction required:\n1. Check network connectivity\n2. If network is OK, user needs to re-authenticate"
        ),
        _ => what,
    }
}

fn with_steps(what: &str) -> String {
    format!("{what}\n\n{AGENT_STEPS}\n\nThe user must re-authenticate.")
}

/// Tells what to do next.
pub(super) fn action(failure: &Failure) -> String {
    words::next_step(&failure.next, &WAYS)
}
