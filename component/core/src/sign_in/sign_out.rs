//! Forgets a user's grant. Sends nothing.

use crate::Context;
use crate::failure::Failure;
use crate::grant::lineage::{Current, Record};
use crate::grant::outside_pair::{self, Exported};
use crate::grant::records;
use crate::ports::{Bucket, Event, StoreError, Timestamp};
use crate::sign_in::ended;
use crate::store::ticket::Root;
use crate::user::UserId;

/// What a sign-out leaves behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignedOut {
    /// Until when Kroger still accepts the access token that was deleted. Kroger has no
    /// way to end it earlier. None: no such token was found.
    pub access_token_expires_at: Option<Timestamp>,
}

/// Forgets the user's grant, and deletes all tokens of the user from the store.
///
/// Writes a tombstone, which no refresh under way undoes. For a user who never signed
/// in it writes only a mark that ends the links, in one of a fixed number of places:
/// anyone can make up names, and each would cost space.
///
/// # Errors
/// Tokens may be left. The same call again deletes them.
pub fn forget(cx: Context<'_>, user: &UserId) -> Result<SignedOut, Failure> {
    let failed = |_| Failure::store_unavailable();
    if is_without_history(cx, user).map_err(failed)? {
        return Ok(SignedOut::default());
    }
    let root = bury_on_any_disk(cx, user).map_err(failed)?;
    let expiry = records::erase_before(cx, &user.key(), root).map_err(failed)?;
    cx.ports.log(&Event::Forgotten { user: user.key().short(), ticket: root.ticket().to_string() });
    if *user == cx.settings.default_user && outside_pair::clear(cx) == Exported::Failed {
        return Err(Failure::store_unavailable());
    }
    Ok(SignedOut { access_token_expires_at: expiry.filter(|expiry| *expiry > cx.ports.wall_now()) })
}

/// Buries the user. If the store takes no write, deletes the hint and tries once more.
///
/// A full disk takes no write, but a store may keep room for deletions, and then has room
/// for the tombstone. Only the hint can go before the tombstone is stored: readers find
/// the grant without it.
fn bury_on_any_disk(cx: Context<'_>, user: &UserId) -> Result<Root, StoreError> {
    let key = user.key();
    bury(cx, user).or_else(|_| {
        records::mend_roots(cx, &key)?;
        cx.ports.delete(Bucket::Store, &records::head_key(&key))?;
        bury(cx, user)
    })
}

/// True if there is nothing to bury. Always false for the default user, whose tokens may
/// lie in `.env`. For a user with no history it ends all links first.
///
/// Reads the roots once more after it has ended the links. A sign-in that is completing
/// has taken its root by then, and is seen here, or finds itself ended.
fn is_without_history(cx: Context<'_>, user: &UserId) -> Result<bool, StoreError> {
    let key = user.key();
    let has_no_root = || records::is_newest_root(cx, &key, Root::default());
    if *user == cx.settings.default_user || !has_no_root()? {
        return Ok(false);
    }
    ended::end(cx, &key)?;
    Ok(has_no_root()? && records::current(cx, &key)? == Current::Absent)
}

/// Writes a tombstone, and another one if a root was taken meanwhile. A process that
/// took a root between ours and our last look may not have seen the tombstone. A
/// process that takes its root later sees it.
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

#[cfg(test)]
mod tests;
