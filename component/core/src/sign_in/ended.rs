//! The sign-outs of users who never signed in: they end links that were given out.
//!
//! There are 1,024 places, and a user's name says which four are for them. So anyone can
//! make up names, and the store stays small. A mark keeps its place while links that it
//! ended could still work: a sign-out that finds no place fails, and never brings another
//! user's links back. No mark is swept by its age: a process whose clock is wrong would
//! take away a mark that others still need.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::Context;
use crate::ports::{Bucket, StoreError, Timestamp};
use crate::sign_in::lifetime;
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};
use crate::user::UserKey;

const PLACES: u64 = 1_024;
/// How many places a user's mark may be at.
const WAYS: u64 = 4;

/// The last sign-out of a user without a history.
#[derive(Serialize, Deserialize)]
pub(crate) struct Ended {
    user: String,
    /// Random: two sign-outs differ, however close they are.
    mark: String,
    at: Timestamp,
}

impl Stored for Ended {
    const KIND: Kind = Kind::SignInEnded;
    const VERSION: u32 = 1;
}

fn key(place: u64) -> String {
    Key::SignInEnded { place }.to_string()
}

fn places(user: &UserKey) -> impl Iterator<Item = u64> {
    let first = user.as_str().bytes().take(8).fold(0, |place, byte| (place * 31 + u64::from(byte)) % PLACES);
    (0..WAYS).map(move |way| (first + way) % PLACES)
}

/// What is at the places of `user`.
fn found(cx: Context<'_>, user: &UserKey) -> Result<Vec<(u64, Option<Ended>)>, StoreError> {
    places(user).map(|place| Ok((place, codec::read(cx, Bucket::Store, &key(place))?))).collect()
}

/// The mark of the user's last sign-out, which a new link carries.
pub(super) fn mark(cx: Context<'_>, user: &UserKey) -> Result<Option<String>, StoreError> {
    let ended = found(cx, user)?.into_iter().filter_map(|(_, ended)| ended).find(|ended| ended.user == user.as_str());
    Ok(ended.map(|ended| ended.mark))
}

/// True if the user signed out since a link was made that carries `mark`.
pub(super) fn is_since(cx: Context<'_>, user: &UserKey, carried: Option<&str>) -> Result<bool, StoreError> {
    Ok(mark(cx, user)?.is_some_and(|mark| Some(mark.as_str()) != carried))
}

/// Ends all links of the user that were made until now.
///
/// # Errors
/// The store failed, or other users' marks, all of them still needed, have the places.
pub(super) fn end(cx: Context<'_>, user: &UserKey) -> Result<(), StoreError> {
    let found = found(cx, user)?;
    let is_own = |ended: &Option<Ended>| ended.as_ref().is_some_and(|ended| ended.user == user.as_str());
    let is_free = |ended: &Option<Ended>| ended.as_ref().is_none_or(|ended| lifetime::is_long_over(cx, ended.at));
    let own = found.iter().find(|(_, ended)| is_own(ended));
    let place = own.or_else(|| found.iter().find(|(_, ended)| is_free(ended)));
    let (place, _) = place.ok_or(StoreError::Failed)?;
    let mut bytes = [0; 8];
    cx.ports.random_bytes(&mut bytes);
    let mark = URL_SAFE_NO_PAD.encode(bytes);
    let ended = Ended { user: user.as_str().to_owned(), mark, at: cx.ports.wall_now() };
    cx.ports.set(Bucket::Store, &key(*place), &codec::encode(&ended))
}
