//! The profile id of a customer. Never keeps it: Kroger's terms forbid to key data
//! by it.

use crate::Context;
use crate::catalog::cached_read::without_data;
use crate::catalog::lenient;
use crate::failure::Failure;
use crate::kroger::limits::Endpoint;
use crate::upstream::quota::Purpose;
use crate::upstream::reading::{self, Reading, TokenOf};
use crate::user::UserId;

const PROFILE_SCOPE: &str = "profile.compact";

/// A customer's identity at Kroger: an id and nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub id: String,
}

/// Reads the profile id of the signed-in user. Asks Kroger each time.
pub fn profile(cx: Context<'_>, user: &UserId) -> Result<Profile, Failure> {
    let reading = Reading {
        endpoint: Endpoint::Identity,
        purpose: Purpose::Browse,
        path: "/v1/identity/profile",
        token: TokenOf::User(user),
        scope: Some(PROFILE_SCOPE),
    };
    let answer = reading::read(cx, reading)?;
    let id = answer.get("data").and_then(|data| lenient::id(data, "id"));
    id.map(|id| Profile { id }).ok_or_else(|| without_data(Endpoint::Identity))
}
