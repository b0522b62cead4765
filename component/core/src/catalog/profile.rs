//! The profile id of a customer. Nothing here keeps it.

use crate::Context;
use crate::catalog::cached_read::without_data;
use crate::catalog::lenient;
use crate::failure::Failure;
use crate::kroger::limits::Endpoint;
use crate::upstream::quota::Purpose;
use crate::upstream::reading::{self, Reading, TokenOf};
use crate::user::UserId;

const PROFILE_SCOPE: &str = "profile.compact";

/// Who a customer is at Kroger: an id, and nothing more. Kroger's terms forbid
/// to key anything by it, so nothing here keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub id: String,
}

/// The profile id of the signed-in user, read anew each time.
pub fn profile(cx: Context<'_>, user: &UserId) -> Result<Profile, Failure> {
    let reading = Reading {
        endpoint: Endpoint::Identity,
        purpose: Purpose::Browse,
        path: "/v1/identity/profile",
        token: TokenOf::User(user),
        scope: Some(PROFILE_SCOPE),
    };
    let answer = reading::read(cx, reading)?;
    let id = answer.get("data").and_then(|data| lenient::text(data, "id"));
    id.map(|id| Profile { id }).ok_or_else(|| without_data(Endpoint::Identity))
}
