//! Turns trouble with a grant into the failure that a caller sees. Tries nothing
//! again.

use std::time::Duration;

use crate::Context;
use crate::failure::{Cause, Failure, Undone};
use crate::grant::refresh::Trouble;
use crate::user::UserId;

/// The failure for `trouble`. No other place turns one into the other.
pub fn failure(cx: Context<'_>, user: &UserId, trouble: &Trouble) -> Failure {
    let sign_in = |cause| Failure::sign_in_needed(cause, user, &cx.settings.scope);
    match trouble {
        Trouble::NotSignedIn => sign_in(Cause::NotSignedIn),
        Trouble::NoRefreshToken => sign_in(Cause::NothingToRenewWith),
        Trouble::Refused { probably_spent } => sign_in(Cause::RefreshTokenRefused { probably_spent: *probably_spent }),
        Trouble::Lost => sign_in(Cause::NewTokensLost),
        Trouble::Unavailable { tries, until } => {
            let wait = until.since(cx.ports.wall_now()).max(Duration::from_secs(1));
            unavailable(*tries).retry_after(wait)
        }
        Trouble::OfAnotherApp(theirs) => {
            Cause::OfAnotherApp { theirs: theirs.clone(), ours: cx.settings.app.clone() }.into()
        }
        Trouble::ClientMissing => Cause::ClientMissing.into(),
        Trouble::ClientRefused => Cause::ClientRejected.into(),
        Trouble::Store => Failure::store_unavailable(),
        Trouble::StoreForgets => Cause::StoreForgets(Undone::Refresh).into(),
    }
}

fn unavailable(tries: u64) -> Failure {
    match tries {
        0 => Cause::RefreshUnderWay.into(),
        tries => Cause::RefreshFailed { tries }.into(),
    }
}
