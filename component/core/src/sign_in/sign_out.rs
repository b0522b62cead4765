//! Forgets a user's grant. Sends nothing.

use crate::Context;
use crate::failure::Failure;
use crate::grant::lineage::{Current, Record};
use crate::grant::{outside_pair, records};
use crate::ports::{Event, StoreError};
use crate::sign_in::ended;
use crate::store::ticket::Root;
use crate::user::UserId;

/// Forgets the user's grant.
///
/// Writes a tombstone, which no refresh under way undoes. For a user who never signed
/// in it writes only a mark that ends the links, in one of a fixed number of places:
/// anyone can make up names, and each would cost space.
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

/// True if there is nothing to bury. Ends the user's links before it says so. Always false for the default user, whose tokens may lie in `.env`.
///
/// Reads the roots once more after it has ended the sign-ins: one that is being
/// completed has taken its root by then, or finds itself ended.
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
