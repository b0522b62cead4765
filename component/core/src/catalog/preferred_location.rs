//! The store that a user shops at: chosen by the user, else configured.
//!
//! | key | value |
//! |---|---|
//! | `preferred_store.<user>` | the `Choice` |
//!
//! A choice is overwritten by the next; the last one counts.

use serde::{Deserialize, Serialize};

use crate::Context;
use crate::catalog::location::{LocationId, Store};
use crate::catalog::locations;
use crate::failure::Failure;
use crate::grant::lineage::SCHEMA_VERSION;
use crate::grant::records;
use crate::ports::{Bucket, Timestamp};
use crate::user::UserId;

#[derive(Serialize, Deserialize)]
struct Choice {
    schema_version: u32,
    location: LocationId,
    chosen_at: Timestamp,
}

/// A store, and why it is this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferred {
    pub location: LocationId,
    pub source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// By the user.
    Chosen,
    /// `KROGER_DEFAULT_STORE_ID`.
    Configured,
}

/// The user's store; none: nobody named one.
pub fn of(cx: Context<'_>, user: &UserId) -> Result<Option<Preferred>, Failure> {
    let choice: Option<Choice> =
        records::read(cx, Bucket::Store, &key(user)).map_err(|_| Failure::store_unavailable())?;
    if let Some(Choice { location, .. }) = choice {
        return Ok(Some(Preferred { location, source: Source::Chosen }));
    }
    let configured = cx.settings.default_location.store_id.as_deref().and_then(|id| LocationId::parse(id).ok());
    Ok(configured.map(|location| Preferred { location, source: Source::Configured }))
}

/// The store to look at: the one that is named, else the user's preferred one,
/// else the configured one.
pub fn or_named(cx: Context<'_>, user: &UserId, named: Option<&LocationId>) -> Result<Option<LocationId>, Failure> {
    match named {
        Some(location) => Ok(Some(location.clone())),
        None => Ok(of(cx, user)?.map(|preferred| preferred.location)),
    }
}

/// Chooses the store, if Kroger has it.
///
/// # Errors
/// `not_found`, where nothing is changed.
pub fn set(cx: Context<'_>, user: &UserId, location: &LocationId) -> Result<Store, Failure> {
    let store = locations::store(cx, user, location)?;
    let choice = Choice { schema_version: SCHEMA_VERSION, location: location.clone(), chosen_at: cx.ports.wall_now() };
    cx.ports.set(Bucket::Store, &key(user), &records::encode(&choice)).map_err(|_| Failure::store_unavailable())?;
    Ok(store)
}

/// Forgets the user's choice; the configured store counts again.
pub fn clear(cx: Context<'_>, user: &UserId) -> Result<(), Failure> {
    cx.ports.delete(Bucket::Store, &key(user)).map_err(|_| Failure::store_unavailable())
}

fn key(user: &UserId) -> String {
    format!("preferred_store.{}", user.key())
}
