//! Looks at grants. Writes and refreshes nothing.

use std::time::Duration;

use crate::Context;
use crate::grant::attempts::{AttemptOutcome, Step, next_step};
use crate::grant::lineage::{Current, Grant};
use crate::grant::{due, outside_pair, records};
use crate::ports::{Bucket, StoreError, Timestamp};
use crate::settings::EnvironmentPair;
use crate::store::keys::Key;
use crate::user::{UserId, UserKey};

/// The state of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    Valid,
    ExpiringSoon,
    Expired,
    Reauthorize {
        probably_spent: bool,
    },
    /// Another app or server granted it. It is not used, and not lost.
    OfAnotherApp,
}

/// A grant and its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub grant: Grant,
    pub state: TokenState,
    /// The outcome of the last refresh, if it failed.
    pub last_error: Option<AttemptOutcome>,
}

/// The status of one user's grant. None: the user never signed in, or was forgotten.
pub fn status(cx: Context<'_>, user: &UserKey) -> Result<Option<Status>, StoreError> {
    let Current::Grant(grant) = records::current(cx, user)? else { return Ok(None) };
    let now = cx.ports.wall_now();
    let tries = records::tries(cx, &grant)?;
    let state = match next_step(&tries, now) {
        _ if !grant.is_of(&cx.settings.app) => TokenState::OfAnotherApp,
        // Told while the access token is still valid, too: no other token follows it.
        Step::Refused { probably_spent } => TokenState::Reauthorize { probably_spent },
        _ if grant.tokens.are_usable(now) && now < due::refresh_at(cx, &grant) => TokenState::Valid,
        _ if grant.tokens.are_usable(now) => TokenState::ExpiringSoon,
        _ if grant.tokens.refresh_token.is_none() => TokenState::Reauthorize { probably_spent: false },
        _ => TokenState::Expired,
    };
    let last_error = tries.last().and_then(|last| Some(last.conclusion.as_ref()?.outcome));
    Ok(Some(Status { grant, state, last_error }))
}

/// A user's grant in the store, and the pair from outside that the next call would
/// take in its place.
pub struct Known {
    pub status: Option<Status>,
    pub outside: Option<EnvironmentPair>,
}

/// Looks at a user's grant and at the pair from outside.
pub fn known(cx: Context<'_>, user: &UserId) -> Result<Known, StoreError> {
    let status = status(cx, &user.key())?;
    let has_need = status.as_ref().is_none_or(|status| matches!(status.state, TokenState::Reauthorize { .. }));
    let outside = if has_need { outside(cx, user)? } else { None };
    Ok(Known { status, outside })
}

/// The pair that the next call would adopt. A pair without a refresh token counts
/// only while its access token is valid.
fn outside(cx: Context<'_>, user: &UserId) -> Result<Option<EnvironmentPair>, StoreError> {
    let current = records::current(cx, &user.key())?;
    let now = cx.ports.wall_now();
    let pair = outside_pair::adoptable(cx, user, &current);
    Ok(pair.filter(|pair| pair.refresh_token.is_some() || outside_left(pair, now).is_some()))
}

/// How long the pair's access token is still valid. None: it is not, or only for a
/// few seconds.
pub fn outside_left(pair: &EnvironmentPair, now: Timestamp) -> Option<Duration> {
    const LEAST_LEFT: Duration = Duration::from_secs(10);

    let left = Timestamp::from_secs(pair.expires_at).since(now);
    (pair.access_token.is_some() && left > LEAST_LEFT).then_some(left)
}

impl TokenState {
    /// True if a call finds a valid access token without a refresh.
    pub(crate) fn is_good(self) -> bool {
        matches!(self, Self::Valid | Self::ExpiringSoon)
    }
}

impl Known {
    /// True if a call finds a valid access token without a refresh.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        let outside = self.outside.as_ref().and_then(|pair| outside_left(pair, now));
        outside.is_some() || self.status.as_ref().is_some_and(|status| status.state.is_good())
    }
}

/// The tokens that a user's next call finds.
pub enum Held {
    InStore(Status),
    /// A pair outside the store, which the next call would adopt.
    Outside {
        user: UserId,
        pair: EnvironmentPair,
    },
}

impl Held {
    pub fn user(&self) -> &UserId {
        match self {
            Self::InStore(status) => &status.grant.user_id,
            Self::Outside { user, .. } => user,
        }
    }
}

/// The tokens that the next call of `user` finds. None: the user is not signed in.
pub fn of(cx: Context<'_>, user: &UserId) -> Result<Option<Held>, StoreError> {
    let Known { status, outside } = known(cx, user)?;
    let outside = outside.map(|pair| Held::Outside { user: user.clone(), pair });
    Ok(outside.or_else(|| status.map(Held::InStore)))
}

/// The tokens of each user, at most `limit`, ordered by user id. The pair outside the
/// store stands for the default user, if their next call would adopt it.
pub fn list(cx: Context<'_>, limit: usize) -> Result<Vec<Held>, StoreError> {
    let mut found: Vec<Held> = all(cx, limit)?.into_iter().map(Held::InStore).collect();
    let default = &cx.settings.default_user;
    // An unreadable record of the default user must not hide the others.
    if let Some(pair) = known(cx, default).ok().and_then(|known| known.outside) {
        found.retain(|held| held.user() != default);
        found.push(Held::Outside { user: default.clone(), pair });
    }
    found.sort_by(|a, b| a.user().as_str().cmp(b.user().as_str()));
    found.truncate(limit);
    Ok(found)
}

/// The status of each user in the store, at most `limit`.
fn all(cx: Context<'_>, limit: usize) -> Result<Vec<Status>, StoreError> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = cx.ports.list_keys(Bucket::Store, cursor)?;
        for key in page.keys.iter().filter_map(|key| Key::parse(key)) {
            if let Key::Head { user } = key
                && found.len() < limit
            {
                // An unreadable record must not hide the others.
                found.extend(status(cx, &user).ok().flatten());
            }
        }
        cursor = page.cursor;
        if cursor.is_none() || found.len() >= limit {
            break;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::lineage::{Record, Source, Tokens};
    use crate::secret::Secret;
    use crate::settings::Settings;
    use crate::testing::{StoreMood, TestWorld};

    /// Settings whose default user `mia` has a pair in the environment.
    fn settings() -> Settings {
        let variables = [
            ("KROGER_CLIENT_ID", "app"),
            ("KROGER_HARDCODED_USER_ID", "mia"),
            ("KROGER_USER_REFRESH_TOKEN", "canary-outside"),
        ];
        Settings::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
    }

    fn id(user: &str) -> UserId {
        UserId::parse(user).unwrap()
    }

    fn sign_in(cx: Context<'_>, user: &str) {
        let user = id(user);
        let now = cx.ports.wall_now();
        let tokens = Tokens {
            app: None,
            access_token: Secret::new("canary-access"),
            refresh_token: Some(Secret::new("canary-refresh")),
            obtained_at: now,
            expires_at: now + Duration::from_secs(1_800),
            scope: None,
        };
        let record = Record::sign_in(user.clone(), tokens, Source::OAuth, &Current::Absent);
        let root = records::take_root(cx, &user.key()).unwrap();
        records::write(cx, &user.key(), root.ticket(), &record).unwrap();
    }

    fn listed(cx: Context<'_>, limit: usize) -> Vec<String> {
        list(cx, limit).unwrap().iter().map(|held| held.user().as_str().to_owned()).collect()
    }

    #[test]
    fn pair_outside_the_store_stands_for_the_default_user_alone() {
        let (world, settings) = (TestWorld::new(), settings());
        let cx = Context { settings: &settings, ports: &world };
        sign_in(cx, "zoe");
        sign_in(cx, "ann");

        assert_eq!(listed(cx, 10), ["ann", "mia", "zoe"]);
        assert_eq!(listed(cx, 2), ["ann", "mia"]);
        assert!(matches!(of(cx, &id("mia")), Ok(Some(Held::Outside { .. }))));
        assert!(matches!(of(cx, &id("ann")), Ok(Some(Held::InStore(_)))));
        assert!(matches!(of(cx, &id("bob")), Ok(None)));
        sign_in(cx, "mia");
        assert_eq!(listed(cx, 10), ["ann", "mia", "zoe"]);
        assert!(matches!(of(cx, &id("mia")), Ok(Some(Held::InStore(_)))));
    }

    #[test]
    fn store_that_fails_is_an_error_and_no_absent_user() {
        let (world, settings) = (TestWorld::new(), settings());
        let cx = Context { settings: &settings, ports: &world };
        sign_in(cx, "ann");

        world.set_store_mood(StoreMood::Failing);

        assert!(of(cx, &id("ann")).is_err());
    }
}
