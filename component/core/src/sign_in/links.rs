//! The sign-in link that failed calls share, so that a user who is signed out does
//! not fill all places. Never fails a call: there is a link, or there is none.
//!
//! | key | value |
//! |---|---|
//! | `signin_link.<user>` | the link that failed calls share |

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Context;
use crate::grant::lineage::SCHEMA_VERSION;
use crate::grant::records;
use crate::kroger::wire;
use crate::ports::{Bucket, StoreError, Timestamp};
use crate::secret::base32_sha256;
use crate::settings::Scope;
use crate::sign_in::authorization::{AuthorizationRequest, authorize};
use crate::sign_in::pending::{LIFETIME, pending, place_of, used_key};
use crate::user::{UserId, UserKey};

/// The least time left for a link to be shared.
const LINK_LEFT: Duration = Duration::from_secs(300);

#[derive(Serialize, Deserialize)]
struct Link {
    schema_version: u32,
    authorization_url: String,
    /// Hash of the link without its secrets. With other settings the hash differs, and
    /// the link leads nowhere.
    #[serde(default)]
    made_of: String,
    place: String,
    state_hash: String,
    started_at: Timestamp,
}

fn link_key(user: &UserKey) -> String {
    format!("signin_link.{user}")
}

/// A link for a call that failed because `scope` was not granted. Calls that fail
/// within minutes share it. None if no link can be made.
pub fn shared_link(cx: Context<'_>, user: &UserId, scope: &Scope) -> Option<String> {
    let key = link_key(&user.key());
    let link: Option<Link> = records::read(cx, Bucket::Store, &key).ok().flatten();
    if let Some(link) = link
        && is_open(cx, user, scope, &link) == Ok(true)
    {
        return Some(link.authorization_url);
    }
    let AuthorizationRequest { authorization_url, state, .. } = authorize(cx, user, Some(scope)).ok()?;
    let link = Link {
        schema_version: SCHEMA_VERSION,
        authorization_url,
        made_of: made_of(cx, scope)?,
        place: place_of(&state)?.to_owned(),
        state_hash: base32_sha256(&state),
        started_at: cx.ports.wall_now(),
    };
    // A link that is not shared still works.
    let _ = cx.ports.set(Bucket::Store, &key, &records::encode(&link));
    Some(link.authorization_url)
}

/// True if `link` can still sign `user` in.
fn is_open(cx: Context<'_>, user: &UserId, scope: &Scope, link: &Link) -> Result<bool, StoreError> {
    let Some(pending) = pending(cx, &link.place, &link.state_hash)? else { return Ok(false) };
    let now = cx.ports.wall_now();
    let is_fresh = now >= pending.started_at && now + LINK_LEFT < pending.started_at + LIFETIME;
    let is_used = cx.ports.increment(&used_key(&link.place, &link.state_hash), 0)? > 0;
    let is_deleted = records::current(cx, &user.key())?.buried() > pending.root;
    Ok(is_fresh && !is_used && !is_deleted && made_of(cx, scope).is_some_and(|now| now == link.made_of))
}

fn made_of(cx: Context<'_>, scope: &Scope) -> Option<String> {
    let client = cx.settings.client.as_ref()?;
    Some(base32_sha256(wire::authorization_url(cx.settings, client, scope, "", "").as_str()))
}
