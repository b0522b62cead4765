//! The location where a user shops: chosen by the user, else configured.
//!
//! Each choice overwrites the one before. Never forgets one by itself.

use serde::{Deserialize, Serialize};

use crate::Context;
use crate::catalog::location::{Location, LocationId};
use crate::catalog::locations;
use crate::failure::Failure;
use crate::ports::{Bucket, Timestamp};
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};
use crate::user::UserId;

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
    let choice: Option<Choice> =
        codec::read(cx, Bucket::Store, &choice_key(user)).map_err(|_| Failure::store_unavailable())?;
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
/// `not_found` if Kroger has no such location; the choice stays as it was.
pub fn set(cx: Context<'_>, user: &UserId, location: &LocationId) -> Result<Location, Failure> {
    let store = locations::location(cx, user, location)?;
    let choice = Choice { location: location.clone(), chosen_at: cx.ports.wall_now() };
    cx.ports
        .set(Bucket::Store, &choice_key(user), &codec::encode(&choice))
        .map_err(|_| Failure::store_unavailable())?;
    Ok(store)
}

/// Forgets the user's choice. The configured location counts again.
pub fn clear(cx: Context<'_>, user: &UserId) -> Result<(), Failure> {
    cx.ports.delete(Bucket::Store, &choice_key(user)).map_err(|_| Failure::store_unavailable())
}

fn choice_key(user: &UserId) -> String {
    Key::PreferredLocation { user: user.key() }.to_string()
}
