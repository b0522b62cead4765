//! Refreshes a grant because a caller asks for it, not because it is due.

use crate::Context;
use crate::failure::{Cause, Failure, GrantTrouble, Missing};
use crate::grant::lineage::{Current, Grant};
use crate::grant::refresh::{self, Need};
use crate::grant::trouble::failure;
use crate::grant::{outside_pair, records};
use crate::user::UserId;

/// Refreshes the user's grant now. Simultaneous callers share one refresh.
pub fn refresh(cx: Context<'_>, user: &UserId) -> Result<Grant, Failure> {
    let current = records::current(cx, &user.key()).map_err(|_| Failure::store_unavailable())?;
    let grant = match current {
        Current::Grant(grant) => grant,
        other => outside_pair::adopt(cx, user, &other)
            .map_err(|_| Failure::store_unavailable())?
            .ok_or(Cause::NotFound(Missing::User))?,
    };
    if grant.tokens.refresh_token.is_none() {
        return Err(Cause::Grant(GrantTrouble::NoRefreshToken).into());
    }
    refresh::grant(cx, user, Need::NewerThan(grant.ticket)).map_err(|trouble| failure(cx, user, &trouble))
}
