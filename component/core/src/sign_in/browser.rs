//! Whether the person who comes back from Kroger is the one who began.

use crate::Context;
use crate::failure::{Failure, SignInTrouble};
use crate::secret::base32_sha256;
use crate::sign_in::pending::{Return, taken};
use crate::user::UserId;

/// Refuses where the sign-in of `state` may not come back in this browser, which
/// shows `shown`. Nothing is used up: the right way is still open.
pub fn check_browser(cx: Context<'_>, state: &str, shown: Option<&str>) -> Result<(), Failure> {
    let (_, pending) = taken(cx, state)?;
    match pending.returns {
        Return::Browser(hash) if shown.is_none_or(|shown| base32_sha256(shown) != hash) => {
            Err(Failure::sign_in(SignInTrouble::OtherBrowser))
        }
        Return::Pasted => Err(Failure::sign_in(SignInTrouble::Pasted)),
        Return::Browser(_) | Return::Anywhere => Ok(()),
    }
}

/// Refuses where the sign-in of `state` was begun for another than `user`.
/// Nothing is used up.
pub fn check_user(cx: Context<'_>, state: &str, user: &UserId) -> Result<(), Failure> {
    let (_, pending) = taken(cx, state)?;
    if pending.user_id == *user { Ok(()) } else { Err(Failure::sign_in(SignInTrouble::OtherUser)) }
}
