//! The sign-in link of a failed call. Never fails a call: if no link can be made, none is
//! shown. Each call has a link of its own, because whoever has one can use it up; none of
//! them leaves a record.

use crate::Context;
use crate::scope::Scope;
use crate::sign_in::authorization::authorize;
use crate::user::UserId;

/// A link for a call that failed because `scope` was not granted. None if no link can be
/// made.
pub fn link(cx: Context<'_>, user: &UserId, scope: &Scope) -> Option<String> {
    authorize(cx, user, Some(scope)).ok().map(|request| request.authorization_url)
}
