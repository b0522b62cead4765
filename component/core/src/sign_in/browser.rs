//! Checks that the person who comes back from Kroger is the one who began. Uses up
//! nothing.

use crate::Context;
use crate::failure::{Failure, SignInTrouble};
use crate::secret::base32_sha256;
use crate::sign_in::pending::{Return, taken};
use crate::user::UserId;

/// Refuses a browser in which the sign-in of `state` may not come back. `shown` is
/// the text that the browser shows. The right browser may still complete it.
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

/// Refuses a user other than the one for whom the sign-in of `state` began.
pub fn check_user(cx: Context<'_>, state: &str, user: &UserId) -> Result<(), Failure> {
    let (_, pending) = taken(cx, state)?;
    if pending.user_id == *user { Ok(()) } else { Err(Failure::sign_in(SignInTrouble::OtherUser)) }
}
