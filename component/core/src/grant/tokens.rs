//! Looking at, refreshing and forgetting grants.

use std::time::Duration;

use crate::Context;
use crate::failure::{AGENT_STEPS, Code, Failure};
use crate::grant::attempts::{AttemptOutcome, Step, next_step};
use crate::grant::lineage::{Current, Grant, Record, Root};
use crate::grant::refresh::{self, Need, Trouble};
use crate::grant::{due, outside_pair, records};
use crate::ports::{Bucket, Event, StoreError, Timestamp};
use crate::settings::EnvironmentPair;
use crate::sign_in::authorization;
use crate::user::{UserId, UserKey};

/// What is wrong with a grant that is [`State::OfAnotherApp`].
pub const OF_ANOTHER_APP: &str =
    "it is of another app or server: run with the settings that it was made with, or with another KROGER_STORE";

/// Where a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Valid,
    ExpiringSoon,
    Expired,
    Reauthorize {
        probably_spent: bool,
    },
    /// Nothing is done with it, and nothing is lost.
    OfAnotherApp,
}

/// A grant and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub grant: Grant,
    pub state: State,
    /// How the last try at refreshing it ended, if that failed.
    pub last_error: Option<AttemptOutcome>,
}

/// The status of one user's grant; none: never signed in, or forgotten.
pub fn status(cx: Context<'_>, user: &UserKey) -> Result<Option<Status>, StoreError> {
    let Current::Grant(grant) = records::current(cx, user)? else { return Ok(None) };
    let now = cx.ports.wall_now();
    let tries = records::tries(cx, &grant)?;
    let state = match next_step(&tries, now) {
        _ if !grant.is_of(&cx.settings.app) => State::OfAnotherApp,
        // However long the access token may still be good: nothing comes after it.
        Step::Refused { probably_spent } => State::Reauthorize { probably_spent },
        _ if grant.tokens.are_usable(now) && now < due::refresh_at(cx, &grant) => State::Valid,
        _ if grant.tokens.are_usable(now) => State::ExpiringSoon,
        _ if grant.tokens.refresh_token.is_none() => State::Reauthorize { probably_spent: false },
        _ => State::Expired,
    };
    let last_error = tries.last().and_then(|last| Some(last.conclusion.as_ref()?.outcome));
    Ok(Some(Status { grant, state, last_error }))
}

/// What is known of a user's token: the grant in the store, and the pair from
/// outside that the next call would take in its place.
pub struct Known {
    pub status: Option<Status>,
    pub outside: Option<EnvironmentPair>,
}

/// Looks, and takes nothing.
pub fn known(cx: Context<'_>, user: &UserId) -> Result<Known, StoreError> {
    let status = status(cx, &user.key())?;
    let has_need = status.as_ref().is_none_or(|status| matches!(status.state, State::Reauthorize { .. }));
    let outside = if has_need { outside(cx, user)? } else { None };
    Ok(Known { status, outside })
}

/// A pair without a refresh token is of use only while it is valid.
fn outside(cx: Context<'_>, user: &UserId) -> Result<Option<EnvironmentPair>, StoreError> {
    let current = records::current(cx, &user.key())?;
    let now = cx.ports.wall_now();
    let pair = outside_pair::adoptable(cx, user, &current);
    Ok(pair.filter(|pair| pair.refresh_token.is_some() || outside_left(pair, now).is_some()))
}

/// For how long the pair's access token is still valid.
pub fn outside_left(pair: &EnvironmentPair, now: Timestamp) -> Option<Duration> {
    const LEAST_LEFT: Duration = Duration::from_secs(10);

    let left = Timestamp::from_secs(pair.expires_at).since(now);
    (pair.access_token.is_some() && left > LEAST_LEFT).then_some(left)
}

impl State {
    /// Whether a call finds a valid access token without refreshing.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Valid | Self::ExpiringSoon)
    }
}

impl Known {
    /// Whether a call finds a valid access token without refreshing.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        let outside = self.outside.as_ref().and_then(|pair| outside_left(pair, now));
        outside.is_some() || self.status.as_ref().is_some_and(|status| status.state.is_good())
    }
}

/// The status of each user in the store, `limit` at most, in the order of ids.
pub fn all(cx: Context<'_>, limit: usize) -> Result<Vec<Status>, StoreError> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = cx.ports.list_keys(Bucket::Store, cursor)?;
        for user in page.keys.iter().filter_map(|key| key.strip_prefix("head.")) {
            if found.len() < limit {
                // One whose record cannot be read must not hide the others.
                found.extend(status(cx, &UserKey::from_stored(user)).ok().flatten());
            }
        }
        cursor = page.cursor;
        if cursor.is_none() || found.len() >= limit {
            break;
        }
    }
    found.sort_by(|a, b| a.grant.user_id.as_str().cmp(b.grant.user_id.as_str()));
    Ok(found)
}

/// Refreshes the user's grant now. Callers at the same time share one refresh.
pub fn refresh(cx: Context<'_>, user: &UserId) -> Result<Grant, Failure> {
    let current = records::current(cx, &user.key()).map_err(|_| Failure::store_unavailable())?;
    let grant = match current {
        Current::Grant(grant) => grant,
        other => {
            outside_pair::adopt(cx, user, &other).map_err(|_| Failure::store_unavailable())?.ok_or_else(unknown_user)?
        }
    };
    if grant.tokens.refresh_token.is_none() {
        return Err(no_refresh_token());
    }
    refresh::grant(cx, user, Need::NewerThan(grant.ticket)).map_err(|trouble| failure(cx, user, &trouble))
}

/// Forgets the user's grant: a tombstone, which no refresh under way undoes.
/// Of a user who never signed in nothing is written: anyone can make up names.
pub fn forget(cx: Context<'_>, user: &UserId) -> Result<(), Failure> {
    if is_without_history(cx, user).map_err(|_| Failure::store_unavailable())? {
        return Ok(());
    }
    let root = bury(cx, user).map_err(|_| Failure::store_unavailable())?;
    cx.ports.log(&Event::Forgotten { user: user.key().short(), ticket: root.ticket().to_string() });
    if *user == cx.settings.default_user {
        outside_pair::clear(cx);
    }
    Ok(())
}

/// Whether there is nothing to bury; sign-ins under way are ended first. The
/// default user's pairs may lie outside.
///
/// Looked at once more after that: a sign-in that was not found had taken its
/// root by then, or finds itself ended.
fn is_without_history(cx: Context<'_>, user: &UserId) -> Result<bool, StoreError> {
    let key = user.key();
    let has_no_root = || records::is_newest_root(cx, &key, Root::default());
    if *user == cx.settings.default_user || !has_no_root()? {
        return Ok(false);
    }
    authorization::end(cx, user)?;
    Ok(has_no_root()? && records::current(cx, &key)? == Current::Absent)
}

/// Who takes a root after ours may not have seen our tombstone; so it is written
/// again until none did, and who comes later sees it.
fn bury(cx: Context<'_>, user: &UserId) -> Result<Root, StoreError> {
    const TRIES: usize = 8;

    let key = user.key();
    for _ in 0..TRIES {
        let root = records::take_root(cx, &key)?;
        let record = Record::deleted(user.clone(), cx.ports.wall_now());
        records::write(cx, &key, root.ticket(), &record)?;
        if records::is_newest_root(cx, &key, root)? {
            return Ok(root);
        }
    }
    Err(StoreError::Failed)
}

fn unknown_user() -> Failure {
    Failure::new(Code::NotFound, "No token is stored for this user.", "Sign the user in at /auth/authorize.")
}

fn no_refresh_token() -> Failure {
    Failure::new(
        Code::NoRefreshToken,
        "No refresh token available for this user.",
        "Sign the user in again at /auth/authorize.",
    )
}

/// The one place where trouble with a grant becomes what a caller is told.
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
    failure.authorization_url = authorization::shared_link(cx, user, &cx.settings.scope);
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
