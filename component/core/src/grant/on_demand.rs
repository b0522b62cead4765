//! Refreshes a grant because a caller asks for it, not because it is due.

use std::time::Duration;

use crate::Context;
use crate::failure::{Cause, Failure, GrantTrouble, Missing};
use crate::grant::lineage::{Current, Grant};
use crate::grant::refresh::{self, Need};
use crate::grant::trouble::failure;
use crate::grant::{outside_pair, records};
use crate::user::UserId;

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

/// How long the next refresh must wait. It would spend a refresh token that works and gain
/// nothing while the access token is this young. A token with a short life has a short
/// pause. There is no pause after a sign-in, or while the access token cannot be used.
fn pause_left(cx: Context<'_>, grant: &Grant) -> Option<Duration> {
    let now = cx.ports.wall_now();
    if grant.parent.is_none() || !grant.tokens.are_usable(now) {
        return None;
    }
    let until = grant.tokens.obtained_at + cx.settings.refresh_pause.min(grant.tokens.lifetime() / 30);
    (now < until).then(|| until.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Code;
    use crate::secret::Secret;
    use crate::settings::Settings;
    use crate::sign_in::{authorization, exchange};
    use crate::testing::TestWorld;

    /// How the refreshes end that `alice` asks for after these pauses, the first right after her sign-in.
    fn asked_after(lifetime: u64, pauses: &[u64]) -> Vec<Option<u64>> {
        let variables = [("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "secret")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (settings, world) = (Settings::from_variables(variables).unwrap(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        let alice = UserId::parse("alice").unwrap();
        let pair = |n: usize| {
            format!(r#"{{"access_token":"A{n}","refresh_token":"R{n}","token_type":"bearer","expires_in":{lifetime}}}"#)
        };
        let link = authorization::authorize(cx, &alice, None).unwrap();
        world.answer(200, pair(0));
        exchange::complete(cx, &Secret::new("code"), &link.state).unwrap();
        let mut told = Vec::new();
        for (n, pause) in pauses.iter().enumerate() {
            world.advance(Duration::from_secs(*pause));
            let sent = world.sent().len();
            world.answer(200, pair(n + 1));
            told.push(match refresh(cx, &alice) {
                Ok(_) => None,
                Err(refused) => {
                    assert_eq!(refused.code, Code::RateLimited);
                    assert_eq!(world.sent().len(), sent, "nothing is sent");
                    refused.retry_after.map(|wait| wait.as_secs())
                }
            });
        }
        told
    }

    #[test]
    fn refreshes_that_callers_ask_for_have_a_least_pause() {
        for (what, lifetime, pauses, expected) in [
            ("the first one after a sign-in", 1_800, &[0][..], &[None][..]),
            ("another one at once", 1_800, &[0, 0], &[None, Some(60)]),
            ("within a minute", 1_800, &[0, 59, 1], &[None, Some(1), None]),
            ("of a token that expired", 30, &[0, 30], &[None, None]),
            ("of a token with a short life", 90, &[0, 2, 1], &[None, Some(1), None]),
        ] {
            assert_eq!(asked_after(lifetime, pauses), expected, "{what}");
        }
    }
}
