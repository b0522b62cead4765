//! The location where a user shops: chosen by the user, else configured.
//!
//! Each choice overwrites the one before. The choice of a user who has signed in is kept
//! in the store until the user clears it. Callers name users freely, so the choice of a
//! user who never signed in lies in the volatile bucket `cache`, which the host bounds.
//! It moves to the store when it is read after the sign-in.

use serde::{Deserialize, Serialize};

use crate::Context;
use crate::catalog::location::{Location, LocationId};
use crate::catalog::locations;
use crate::failure::{Cause, Failure, GrantTrouble};
use crate::grant::records;
use crate::ports::{Bucket, Event, StoreError, Timestamp};
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};
use crate::user::{UserId, UserKey};

#[derive(Serialize, Deserialize)]
pub(crate) struct Choice {
    location: LocationId,
    chosen_at: Timestamp,
}

impl Stored for Choice {
    const KIND: Kind = Kind::PreferredLocation;
    const VERSION: u32 = 1;
}

/// A location, and the reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferred {
    pub location: LocationId,
    pub source: PreferredBy,
}

/// The reason for a preferred location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreferredBy {
    /// The user chose it.
    Chosen,
    /// `KROGER_DEFAULT_STORE_ID` names it.
    Configured,
}

/// The user's location. None: nobody chose or configured one.
pub fn of(cx: Context<'_>, user: &UserId) -> Result<Option<Preferred>, Failure> {
    let choice = choice(cx, user).map_err(|_| Failure::store_unavailable())?;
    if let Some(Choice { location, .. }) = choice {
        return Ok(Some(Preferred { location, source: PreferredBy::Chosen }));
    }
    let configured = cx.settings.default_location.location_id.as_deref().and_then(|id| LocationId::parse(id).ok());
    Ok(configured.map(|location| Preferred { location, source: PreferredBy::Configured }))
}

/// The location to look at: the one named, else the user's preferred one, else the
/// configured one.
pub fn or_named(cx: Context<'_>, user: &UserId, named: Option<&LocationId>) -> Result<Option<LocationId>, Failure> {
    match named {
        Some(location) => Ok(Some(location.clone())),
        None => Ok(of(cx, user)?.map(|preferred| preferred.location)),
    }
}

/// Chooses a location for the user.
///
/// # Errors
/// `not_found` if Kroger has no such location; the choice stays as it was. `reauthorize`
/// if the user never signed in and the host has no volatile bucket.
pub fn set(cx: Context<'_>, user: &UserId, location: &LocationId) -> Result<Location, Failure> {
    let store = locations::location(cx, user, location)?;
    let choice = Choice { location: location.clone(), chosen_at: cx.ports.wall_now() };
    let is_kept = is_kept(cx, user).map_err(|_| Failure::store_unavailable())?;
    let bucket = if is_kept { Bucket::Store } else { Bucket::Cache };
    match cx.ports.set(bucket, &choice_key(user), &codec::encode(&choice)) {
        Ok(()) => Ok(store),
        Err(StoreError::NoSuchBucket) if !is_kept => {
            Err(Failure::sign_in_needed(Cause::Grant(GrantTrouble::NotSignedIn), user, &cx.settings.scope))
        }
        Err(_) => Err(Failure::store_unavailable()),
    }
}

/// Forgets the user's choice. The configured location counts again.
pub fn clear(cx: Context<'_>, user: &UserId) -> Result<(), Failure> {
    let _ = cx.ports.delete(Bucket::Cache, &choice_key(user));
    cx.ports.delete(Bucket::Store, &choice_key(user)).map_err(|_| Failure::store_unavailable())
}

/// Whether the store keeps the choice of `user`. There is one default user only.
fn is_kept(cx: Context<'_>, user: &UserId) -> Result<bool, StoreError> {
    Ok(*user == cx.settings.default_user || records::has_signed_in(cx, &user.key())?)
}

/// True if the choice in the store is of a user who never signed in. An earlier version
/// kept those.
pub(crate) fn is_over(cx: Context<'_>, user: &UserKey) -> Result<bool, StoreError> {
    Ok(*user != cx.settings.default_user.key() && !records::has_signed_in(cx, user)?)
}

fn choice(cx: Context<'_>, user: &UserId) -> Result<Option<Choice>, StoreError> {
    let key = choice_key(user);
    if let Some(choice) = codec::read(cx, Bucket::Store, &key)? {
        return Ok(Some(choice));
    }
    let choice: Option<Choice> = codec::read(cx, Bucket::Cache, &key).ok().flatten();
    if let Some(choice) = &choice
        && is_kept(cx, user)?
        && cx.ports.set(Bucket::Store, &key, &codec::encode(choice)).is_err()
    {
        cx.ports.log(&Event::StoreTrouble { doing: "keeping the location that a user chose before the sign-in" });
    }
    Ok(choice)
}

fn choice_key(user: &UserId) -> String {
    Key::PreferredLocation { user: user.key() }.to_string()
}
