//! Checks that the person who comes back from Kroger is the one who began. Uses up
//! nothing.

use crate::Context;
use crate::failure::{Code, Failure};
use crate::secret::base32_sha256;
use crate::sign_in::pending::{Return, taken};
use crate::user::UserId;

/// Refuses a browser in which the sign-in of `state` may not come back. `shown` is
/// the text that the browser shows. The right browser may still complete it.
pub fn check_browser(cx: Context<'_>, state: &str, shown: Option<&str>) -> Result<(), Failure> {
    const OTHER: &str = "the sign-in was begun in another browser; open the link and agree in one and the same";
    const PASTED: &str = "this sign-in is finished by giving the whole address to the assistant that began it";

    let (_, pending) = taken(cx, state)?;
    match pending.returns {
        Return::Browser(hash) if shown.is_none_or(|shown| base32_sha256(shown) != hash) => {
            Err(Failure::sign_in(Code::SignInUnknown, "state", OTHER))
        }
        Return::Pasted => Err(Failure::sign_in(Code::SignInPasted, "state", PASTED)),
        Return::Browser(_) | Return::Anywhere => Ok(()),
    }
}

/// Refuses a user other than the one for whom the sign-in of `state` began.
pub fn check_user(cx: Context<'_>, state: &str, user: &UserId) -> Result<(), Failure> {
    const OTHER: &str = "the sign-in was begun for another user; start again at /auth/authorize";

    let (_, pending) = taken(cx, state)?;
    if pending.user_id == *user { Ok(()) } else { Err(Failure::sign_in(Code::SignInUnknown, "state", OTHER)) }
}
