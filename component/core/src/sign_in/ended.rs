//! The sign-outs of users who never signed in: they end links that were given out.
//!
//! There are 1,024 places, and a user's name says which. Another user's sign-out at the
//! place replaces the mark, and ends none of this user's links. So anyone can make up
//! names, and the store stays small.

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

fn place(user: &UserKey) -> u64 {
    user.as_str().bytes().take(8).fold(0, |place, byte| (place * 31 + u64::from(byte)) % PLACES)
}

/// The mark of the user's last sign-out, which a new link carries.
pub(super) fn mark(cx: Context<'_>, user: &UserKey) -> Result<Option<String>, StoreError> {
    let ended: Option<Ended> = codec::read(cx, Bucket::Store, &key(place(user)))?;
    Ok(ended.filter(|ended| ended.user == user.as_str()).map(|ended| ended.mark))
}

/// True if the user signed out since a link was made that carries `mark`.
pub(super) fn is_since(cx: Context<'_>, user: &UserKey, carried: Option<&str>) -> Result<bool, StoreError> {
    Ok(mark(cx, user)?.is_some_and(|mark| Some(mark.as_str()) != carried))
}

/// Ends all links of the user that were made until now.
pub(super) fn end(cx: Context<'_>, user: &UserKey) -> Result<(), StoreError> {
    let mut bytes = [0; 8];
    cx.ports.random_bytes(&mut bytes);
    let mark = URL_SAFE_NO_PAD.encode(bytes);
    let ended = Ended { user: user.as_str().to_owned(), mark, at: cx.ports.wall_now() };
    cx.ports.set(Bucket::Store, &key(place(user)), &codec::encode(&ended))
}

/// True if the sweep may delete the mark at `place`: all links that it ended are over.
pub(crate) fn is_over(cx: Context<'_>, place: u64) -> Result<bool, StoreError> {
    let ended: Option<Ended> = codec::read(cx, Bucket::Store, &key(place))?;
    Ok(ended.is_some_and(|ended| lifetime::is_long_over(cx, ended.at)))
}
