//! Refreshes a grant because a caller asks for it, not because it is due.

use std::time::Duration;

use crate::Context;
use crate::failure::{Cause, Failure, GrantTrouble, Missing};
use crate::grant::lineage::{Current, Grant};
use crate::grant::refresh::{self, Need};
use crate::grant::trouble::failure;
use crate::grant::{outside_pair, records};
use crate::user::UserId;

/// The least pause between two refreshes that callers ask for. A refresh spends a token
/// that works and gains nothing while the new one is this young.
const LEAST_PAUSE: Duration = Duration::from_secs(60);

/// Refreshes the user's grant now. Simultaneous callers share one refresh.
///
/// # Errors
/// `rate_limited` if the grant was refreshed a moment ago and its token can be used.
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
    if let Some(wait) = pause_left(cx, &grant) {
        return Err(Failure::from(Cause::Grant(GrantTrouble::RefreshedJustNow)).retry_after(wait));
    }
    refresh::grant(cx, user, Need::NewerThan(grant.ticket)).map_err(|trouble| failure(cx, user, &trouble))
}

/// How long the next refresh must wait. A sign-in is no refresh, and neither is a token
/// that cannot be used worth keeping. Of a token with a short life, the pause is a
/// thirtieth.
fn pause_left(cx: Context<'_>, grant: &Grant) -> Option<Duration> {
    let now = cx.ports.wall_now();
    if grant.parent.is_none() || !grant.tokens.are_usable(now) {
        return None;
    }
    let until = grant.tokens.obtained_at + LEAST_PAUSE.min(grant.tokens.lifetime() / 30);
    (now < until).then(|| until.since(now))
}
