//! The users of the store, one page at a time.
//!
//! A page reads the records of its own users only, and a bounded number of key pages. So
//! its cost does not grow with the store.

use std::fmt;
use std::str::FromStr;

use crate::Context;
use crate::grant::status::{self, Held};
use crate::ports::{Bucket, StoreError};
use crate::store::keys::Key;
use crate::user::UserKey;

/// The key pages that one page of users reads at most.
const KEY_PAGES: usize = 20;

/// The place in the store where a page of users begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The store's own cursor of the key page. None: the first one.
    cursor: Option<u64>,
    /// The keys of that key page that were looked at.
    passed: usize,
}

/// A page of users.
pub struct PageOfUsers {
    /// In the order of ids.
    pub users: Vec<Held>,
    /// Where the next page begins. None: there are no more users.
    pub next: Option<Place>,
}

/// A text that is no [`Place`].
#[derive(Debug)]
pub struct NotAPlace;

/// The users from `place` on, `limit` at most. The pair outside the store stands for the
/// default user, on the first page, if their next call would adopt it.
pub fn page(cx: Context<'_>, place: Place, limit: usize) -> Result<PageOfUsers, StoreError> {
    let (keys, next) = user_keys(cx, place, limit)?;
    // An unreadable record must not hide the others.
    let statuses = keys.iter().filter_map(|user| status::status(cx, user).ok().flatten());
    let mut users: Vec<Held> = statuses.map(Held::InStore).collect();
    let default = &cx.settings.default_user;
    if let Some(pair) = status::known(cx, default).ok().and_then(|known| known.outside) {
        users.retain(|held| held.user() != default);
        if place == Place::default() {
            users.push(Held::Outside { user: default.clone(), pair });
        }
    }
    users.sort_by(|a, b| a.user().as_str().cmp(b.user().as_str()));
    Ok(PageOfUsers { users, next })
}

/// The keys of `limit` users at most, and where the next ones begin.
fn user_keys(cx: Context<'_>, place: Place, limit: usize) -> Result<(Vec<UserKey>, Option<Place>), StoreError> {
    let (mut users, mut cursor, mut passed) = (Vec::new(), place.cursor, place.passed);
    for _ in 0..KEY_PAGES {
        let page = cx.ports.list_keys(Bucket::Store, cursor)?;
        for (index, key) in page.keys.iter().enumerate().skip(passed) {
            let Some(Key::Head { user }) = Key::parse(key) else { continue };
            if users.len() == limit {
                return Ok((users, Some(Place { cursor, passed: index })));
            }
            users.push(user);
        }
        if page.cursor.is_none() {
            return Ok((users, None));
        }
        (cursor, passed) = (page.cursor, 0);
    }
    Ok((users, Some(Place { cursor, passed })))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cursor {
            Some(cursor) => write!(f, "{cursor}.{}", self.passed),
            None => write!(f, ".{}", self.passed),
        }
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let (cursor, passed) = text.split_once('.').ok_or(NotAPlace)?;
        let cursor = if cursor.is_empty() { None } else { Some(cursor.parse().map_err(|_| NotAPlace)?) };
        Ok(Self { cursor, passed: passed.parse().map_err(|_| NotAPlace)? })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::grant::lineage::{Current, Record, Source, Tokens};
    use crate::grant::records;
    use crate::secret::Secret;
    use crate::settings::Settings;
    use crate::testing::TestWorld;
    use crate::user::UserId;

    fn sign_in(cx: Context<'_>, user: &str) {
        let user = UserId::parse(user).unwrap();
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

    #[test]
    fn pages_have_each_user_once_and_read_only_their_own() {
        let (world, settings) = (TestWorld::new(), Settings::from_variables([]).unwrap());
        let cx = Context { settings: &settings, ports: &world };
        for n in 0..500 {
            sign_in(cx, &format!("user{n:03}"));
        }

        let (mut found, mut pages, mut place) = (Vec::new(), 0, Some(Place::default()));
        while let Some(here) = place {
            let before = world.operations();
            let page = page(cx, here, 60).unwrap();
            let cost = world.operations() - before;
            assert!(cost < 60 * 12, "{cost} operations for 60 users");
            found.extend(page.users.iter().map(|held| held.user().as_str().to_owned()));
            place = page.next.map(|next| next.to_string().parse().unwrap());
            pages += 1;
        }

        found.sort();
        assert_eq!(found, (0..500).map(|n| format!("user{n:03}")).collect::<Vec<_>>());
        assert_eq!(pages, 9);
    }

    #[test]
    fn other_texts_are_no_places() {
        for text in ["", "1", "x.1", "1.x", "1.-1", "1.2.3", "99999999999999999999.0"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
        for text in [".0", "7.12"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
    }
}
