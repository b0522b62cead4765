//! The words for a user's sign-in that does not serve a call.

use kroger_core::failure::GrantTrouble;

/// What is told of a refresh token that Kroger refused, without a full stop.
pub(crate) const REFRESH_TOKEN_REFUSED: &str = "Token refresh failed: Invalid refresh token";

pub(super) fn trouble(trouble: GrantTrouble) -> String {
    let words = match trouble {
        GrantTrouble::NotSignedIn => "User not authenticated.",
        GrantTrouble::NothingToRenewWith => "Token expired or invalid, and there is no refresh token to renew it with.",
        GrantTrouble::RefreshTokenRefused { probably_spent: false } => return format!("{REFRESH_TOKEN_REFUSED}."),
        GrantTrouble::RefreshTokenRefused { probably_spent: true } => {
            let spent = "It was probably spent by an earlier refresh whose reply was lost.";
            return format!("{REFRESH_TOKEN_REFUSED}. {spent}");
        }
        GrantTrouble::NewTokensLost => {
            "Token refresh failed: Kroger gave new tokens and the token store could not keep them, so the sign-in is lost."
        }
        GrantTrouble::ForgottenMeanwhile => {
            "The user was forgotten while this sign-in was under way, so nothing was stored; re-authenticate."
        }
        GrantTrouble::AccessTokenRejected => {
            "Token expired or invalid. The access token was refreshed and the call repeated once; Kroger rejected it again."
        }
        GrantTrouble::NoRefreshToken => "No refresh token available for this user.",
        GrantTrouble::RefreshedJustNow => {
            "The token was refreshed a moment ago and is still valid. Nothing was done: another refresh would gain nothing."
        }
        GrantTrouble::RefreshUnderWay => "Token refresh failed: another call is still refreshing this token.",
        GrantTrouble::RefreshFailed { tries: 1 } => "Token refresh failed after 1 attempt.",
        GrantTrouble::RefreshFailed { tries } => return format!("Token refresh failed after {tries} attempts."),
        GrantTrouble::RefreshTookTooLong => {
            "Renewing the sign-in took so long that the call was not sent. Nothing was added."
        }
    };
    words.to_owned()
}
