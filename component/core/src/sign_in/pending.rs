//! The sign-ins that are under way. Sends nothing.
//!
//! The store keeps a started sign-in, so it outlives a restart. There are 1,000
//! places, taken in turn: one sign-in more pushes out the oldest. The sweep deletes
//! sign-ins that are long over.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Context;
use crate::failure::{Failure, SignInTrouble};
use crate::ports::{Bucket, StoreError, Timestamp};
use crate::secret::{Secret, base32_sha256};
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};
use crate::store::ring::Ring;
use crate::store::ticket::Root;
use crate::user::UserId;

/// How long the user may take to agree.
pub const LIFETIME: Duration = Duration::from_secs(600);
pub(super) const RING: Ring = Ring { counter: Key::SignInPlaces, places: 1_000 };
/// The age at which a sign-in is over for every process, however wrong its clock
/// and however slow it is.
const LONG_OVER: Duration = Duration::from_secs(2 * LIFETIME.as_secs());

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(super) state_hash: String,
    pub(super) verifier: Secret,
    pub(super) user_id: UserId,
    pub(super) scope: String,
    pub(super) redirect_uri: String,
    /// The user's root when the sign-in started.
    pub(super) root: Option<Root>,
    pub(super) started_at: Timestamp,
    #[serde(default)]
    pub(super) returns: Return,
}

impl Stored for Pending {
    const KIND: Kind = Kind::SignIn;
    const VERSION: u32 = 1;
}

/// The way by which the user must come back from Kroger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Return {
    /// In any browser.
    #[default]
    Anywhere,
    /// In the browser that shows a text with this hash.
    Browser(String),
    /// In no browser: the user gives the address to the caller that began.
    Pasted,
}

/// The user and the scope of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub user_id: UserId,
    pub scope: String,
}

/// How far a sign-in has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The person has not come back from Kroger.
    Open,
    /// The redirect came: the sign-in was completed or declined, or this is under way.
    Taken,
    /// Nobody can complete it any more.
    Over,
}

pub(super) fn pending_key(place: u64) -> String {
    Key::SignIn { place }.to_string()
}

pub(super) fn used_key(place: u64, state_hash: &str) -> String {
    Key::UsedSignIn { place, state_hash: state_hash.to_owned() }.to_string()
}

/// The sign-in at `place`, if its state has this hash.
pub(super) fn pending(cx: Context<'_>, place: u64, state_hash: &str) -> Result<Option<Pending>, StoreError> {
    let pending: Option<Pending> = codec::read(cx, Bucket::Store, &pending_key(place))?;
    Ok(pending.filter(|pending| pending.state_hash == state_hash))
}

/// The sign-in of `state` and its place. Fails if another sign-in has taken the
/// place since.
pub(super) fn taken(cx: Context<'_>, state: &str) -> Result<(u64, Pending), Failure> {
    let unknown = || Failure::sign_in(SignInTrouble::Unknown);
    let place = RING.place_of(state).ok_or_else(unknown)?;
    let pending = pending(cx, place, &base32_sha256(state)).map_err(|_| Failure::store_unavailable())?;
    pending.map(|pending| (place, pending)).ok_or_else(unknown)
}

/// True if the sign-in at `place` still has this hash. Then its counter is needed.
pub(crate) fn is_pending(cx: Context<'_>, place: u64, state_hash: &str) -> Result<bool, StoreError> {
    Ok(pending(cx, place, state_hash)?.is_some())
}

/// The user and the scope of the sign-in of `state`, even if it is used or expired.
pub fn subject(cx: Context<'_>, state: &str) -> Option<Subject> {
    let pending = pending(cx, RING.place_of(state)?, &base32_sha256(state)).ok()??;
    Some(Subject { user_id: pending.user_id, scope: pending.scope })
}

/// How far the sign-in of `state` has come. Writes nothing.
pub fn progress(cx: Context<'_>, state: &str) -> Result<Progress, StoreError> {
    let state_hash = base32_sha256(state);
    let Some(place) = RING.place_of(state) else { return Ok(Progress::Over) };
    let Some(pending) = pending(cx, place, &state_hash)? else { return Ok(Progress::Over) };
    let now = cx.ports.wall_now();
    Ok(if cx.ports.increment(&used_key(place, &state_hash), 0)? > 0 {
        Progress::Taken
    } else if now >= pending.started_at + LIFETIME || now + LIFETIME < pending.started_at {
        Progress::Over
    } else {
        Progress::Open
    })
}

/// Deletes the user's sign-ins that are under way.
///
/// A caller that is completing a sign-in looks for it again after it has taken its
/// root, and finds it gone.
pub(crate) fn end(cx: Context<'_>, user: &UserId) -> Result<(), StoreError> {
    for key in RING.live(cx)?.map(pending_key) {
        let pending: Option<Pending> = codec::read(cx, Bucket::Store, &key)?;
        if pending.is_some_and(|pending| pending.user_id == *user) {
            cx.ports.delete(Bucket::Store, &key)?;
        }
    }
    Ok(())
}

/// True if the sweep may delete the sign-in at `place`.
pub(crate) fn is_over(cx: Context<'_>, place: u64) -> Result<bool, StoreError> {
    let pending: Option<Pending> = codec::read(cx, Bucket::Store, &pending_key(place))?;
    Ok(pending.is_some_and(|pending| is_long_over(cx, pending.started_at)))
}

/// True if a sign-in or a link that began at `started_at` is over for every
/// process.
pub(super) fn is_long_over(cx: Context<'_>, started_at: Timestamp) -> bool {
    let now = cx.ports.wall_now();
    now.since(started_at).max(started_at.since(now)) >= LONG_OVER
}

/// The lifetime of a sign-in in minutes, for people to read.
pub fn minutes() -> u64 {
    LIFETIME.as_secs() / 60
}
