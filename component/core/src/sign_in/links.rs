//! The sign-in link that failed calls share, so that a user who is signed out does
//! not fill all places. Never fails a call: if no link can be made, none is shown.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Context;
use crate::grant::records;
use crate::ports::{Bucket, StoreError, Timestamp};
use crate::scope::Scope;
use crate::secret::base32_sha256;
use crate::sign_in::authorization::{self, AuthorizationRequest, authorize};
use crate::sign_in::pending::{LIFETIME, RING, is_long_over, pending, used_key};
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};
use crate::user::{UserId, UserKey};

/// The least time left for a link to be shared.
const LINK_LEFT: Duration = Duration::from_secs(300);

#[derive(Serialize, Deserialize)]
pub(crate) struct Link {
    authorization_url: String,
    /// Hash of the link without its secrets. With other settings the hash differs, and
    /// the link leads nowhere.
    #[serde(default)]
    made_of: String,
    place: String,
    state_hash: String,
    started_at: Timestamp,
}

impl Stored for Link {
    const KIND: Kind = Kind::SignInLink;
    const VERSION: u32 = 1;
}

fn link_key(user: &UserKey) -> String {
    Key::SignInLink { user: user.clone() }.to_string()
}

/// A link for a call that failed because `scope` was not granted. Calls that fail
/// within minutes share it. None if no link can be made.
pub fn shared_link(cx: Context<'_>, user: &UserId, scope: &Scope) -> Option<String> {
    let key = link_key(&user.key());
    let link: Option<Link> = codec::read(cx, Bucket::Store, &key).ok().flatten();
    if let Some(link) = link
        && is_open(cx, user, scope, &link) == Ok(true)
    {
        return Some(link.authorization_url);
    }
    let AuthorizationRequest { authorization_url, state, .. } = authorize(cx, user, Some(scope)).ok()?;
    let link = Link {
        authorization_url,
        made_of: made_of(cx, scope)?,
        place: RING.place_of(&state)?.to_string(),
        state_hash: base32_sha256(&state),
        started_at: cx.ports.wall_now(),
    };
    // A link that is not shared still works.
    let _ = cx.ports.set(Bucket::Store, &key, &codec::encode(&link));
    Some(link.authorization_url)
}

/// True if `link` can still sign `user` in.
fn is_open(cx: Context<'_>, user: &UserId, scope: &Scope, link: &Link) -> Result<bool, StoreError> {
    let Some(place) = RING.place(&link.place) else { return Ok(false) };
    let Some(pending) = pending(cx, place, &link.state_hash)? else { return Ok(false) };
    let now = cx.ports.wall_now();
    let is_fresh = now >= pending.started_at && now + LINK_LEFT < pending.started_at + LIFETIME;
    let is_used = cx.ports.increment(&used_key(place, &link.state_hash), 0)? > 0;
    let is_deleted = records::current(cx, &user.key())?.buried() > pending.root;
    Ok(is_fresh && !is_used && !is_deleted && made_of(cx, scope).is_some_and(|now| now == link.made_of))
}

/// Whether the sweep may delete the user's shared link.
pub(crate) fn is_over(cx: Context<'_>, user: &UserKey) -> Result<bool, StoreError> {
    let link: Option<Link> = codec::read(cx, Bucket::Store, &link_key(user))?;
    Ok(link.is_some_and(|link| is_long_over(cx, link.started_at)))
}

fn made_of(cx: Context<'_>, scope: &Scope) -> Option<String> {
    let client = cx.settings.client.as_ref()?;
    Some(base32_sha256(authorization::url(cx, client, scope, "", "").as_str()))
}
