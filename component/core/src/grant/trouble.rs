//! Turns trouble with a grant into the failure that a caller sees. Tries nothing
//! again.

use std::time::Duration;

use crate::Context;
use crate::failure::{AGENT_STEPS, Code, Failure};
use crate::grant::refresh::Trouble;
use crate::sign_in::links;
use crate::user::UserId;

/// The failure for `trouble`. No other place turns one into the other.
pub fn failure(cx: Context<'_>, user: &UserId, trouble: &Trouble) -> Failure {
    match trouble {
        Trouble::NotSignedIn => reauthorize(cx, user, "User not authenticated."),
        Trouble::NoRefreshToken => {
            reauthorize(cx, user, "Token expired or invalid, and there is no refresh token to renew it with.")
        }
        Trouble::Refused { probably_spent: false } => {
            reauthorize(cx, user, "Token refresh failed: Invalid refresh token")
        }
        Trouble::Refused { probably_spent: true } => reauthorize(
            cx,
            user,
            "Token refresh failed: Invalid refresh token. It was probably spent by an earlier refresh whose reply was lost.",
        ),
        Trouble::Lost => reauthorize(
            cx,
            user,
            "Token refresh failed: Kroger gave new tokens and the token store could not keep them, so the sign-in is lost.",
        ),
        Trouble::Unavailable { tries, until } => {
            let wait = until.since(cx.ports.wall_now()).max(Duration::from_secs(1));
            unavailable(*tries).retry_after(wait)
        }
        Trouble::OfAnotherApp(other) => Failure::of_another_app(other, &cx.settings.app),
        Trouble::ClientMissing => Failure::client_credentials_missing(),
        Trouble::ClientRefused => Failure::client_credentials_rejected(),
        Trouble::Store => Failure::store_unavailable(),
        Trouble::StoreForgets => Failure::store_forgets(),
    }
}

fn reauthorize(cx: Context<'_>, user: &UserId, what: &str) -> Failure {
    let mut failure = Failure::new(
        Code::Reauthorize,
        format!("{what}\n\n{AGENT_STEPS}\n\nThe user must re-authenticate."),
        "Open the authorization URL and let the user sign in; then repeat the call.",
    );
    failure.authorization_url = links::shared_link(cx, user, &cx.settings.scope);
    failure
}

fn unavailable(tries: u64) -> Failure {
    if tries == 0 {
        return Failure::new(
            Code::UpstreamUnavailable,
            "Token refresh failed: another caller's has not ended yet.",
            "Try again after the time that `retry_after` says; the sign-in is kept.",
        );
    }
    let attempts = if tries == 1 { "attempt" } else { "attempts" };
    Failure::new(
        Code::UpstreamUnavailable,
        format!(
            "Token refresh failed after {tries} {attempts}.\n\n\
             Action required:\n1. Check network connectivity\n2. If network is OK, user needs to re-authenticate"
        ),
        "Try again after the time that `retry_after` says; the sign-in is kept.",
    )
}

pub(super) fn unknown_user() -> Failure {
    Failure::new(Code::NotFound, "No token is stored for this user.", "Sign the user in at /auth/authorize.")
}

pub(super) fn no_refresh_token() -> Failure {
    Failure::new(
        Code::NoRefreshToken,
        "No refresh token available for this user.",
        "Sign the user in again at /auth/authorize.",
    )
}
