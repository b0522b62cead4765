//! Invites a person to sign in through an agent: a link of ours, and the page behind
//! it. Grants nothing: the page only leads on to Kroger.
//!
//! The attack: a link is passed on, and the person who opens it connects their
//! account for somebody else. The answer: the page shows a number that the agent
//! shows too, and asks the person to compare them. Only the browser in which the
//! person agrees may come back from Kroger.
//!
//! There are 1,000 places for invitations, taken in turn. The sweep deletes
//! invitations that are long over.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::Context;
use crate::failure::{AppTrouble, Cause, Failure, SignInTrouble};
use crate::ports::{Bucket, StoreError, Timestamp};
use crate::scope::Scope;
use crate::secret::{Secret, base32_sha256};
use crate::sign_in::authorization;
use crate::sign_in::pending::{self, LIFETIME, Return};
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};
use crate::store::ring::Ring;
use crate::user::{UserId, UserKey};

const RING: Ring = Ring { counter: Key::InvitationPlaces, places: 1_000 };
/// The least time left for an invitation to be shared.
const LEFT: Duration = Duration::from_secs(300);

/// An invitation as an agent hands it to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    pub id: String,
    /// Four digits that both the page and the agent show.
    pub number: String,
}

/// An invitation that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    id: String,
    pub user_id: UserId,
    scope: String,
    pub number: String,
    started_at: Timestamp,
}

impl Stored for Invitation {
    const KIND: Kind = Kind::Invitation;
    const VERSION: u32 = 1;
}

/// The consent of a person, in one browser.
#[derive(Debug)]
pub struct Accepted {
    pub authorization_url: String,
    /// The secret that the browser shows when it comes back.
    pub browser: Secret,
}

/// The id of the user's last invitation, which later calls share.
#[derive(Serialize, Deserialize)]
pub(crate) struct Shared {
    id: String,
    started_at: Timestamp,
}

impl Stored for Shared {
    const KIND: Kind = Kind::InvitationOf;
    const VERSION: u32 = 1;
}

fn invitation_key(place: u64) -> String {
    Key::Invitation { place }.to_string()
}

fn shared_key(user: &UserKey) -> String {
    Key::InvitationOf { user: user.clone() }.to_string()
}

/// Returns the user's open invitation for `scope`, else a new one.
pub fn invite(cx: Context<'_>, user: &UserId, scope: &Scope) -> Result<Invited, Failure> {
    if cx.settings.client.is_none() {
        return Err(Cause::App(AppTrouble::ClientMissing).into());
    }
    let unavailable = |_| Failure::store_unavailable();
    let shared: Option<Shared> = codec::read(cx, Bucket::Store, &shared_key(&user.key())).map_err(unavailable)?;
    if let Some(shared) = shared
        && let Ok(invitation) = open(cx, &shared.id)
        && invitation.scope == scope.as_str()
        && cx.ports.wall_now() + LEFT < invitation.started_at + LIFETIME
    {
        return Ok(invited(&invitation));
    }
    let place = RING.take(cx).map_err(unavailable)?;
    let invitation = Invitation {
        id: format!("{place}.{}", random_text(cx)),
        user_id: user.clone(),
        scope: scope.as_str().to_owned(),
        number: number(cx),
        started_at: cx.ports.wall_now(),
    };
    let shared = Shared { id: invitation.id.clone(), started_at: invitation.started_at };
    cx.ports
        .set(Bucket::Store, &invitation_key(place), &codec::encode(&invitation))
        .and_then(|()| cx.ports.set(Bucket::Store, &shared_key(&user.key()), &codec::encode(&shared)))
        .map_err(unavailable)?;
    Ok(invited(&invitation))
}

fn invited(invitation: &Invitation) -> Invited {
    Invited { id: invitation.id.clone(), number: invitation.number.clone() }
}

/// Reads the invitation of `id`, if it can still be accepted.
///
/// # Errors
/// It is unknown, a newer one has its place, or it is older than 10 minutes.
pub fn open(cx: Context<'_>, id: &str) -> Result<Invitation, Failure> {
    let unknown = || Failure::sign_in(SignInTrouble::InvitationUnknown);
    let place = RING.place_of(id).ok_or_else(unknown)?;
    let invitation: Option<Invitation> =
        codec::read(cx, Bucket::Store, &invitation_key(place)).map_err(|_| Failure::store_unavailable())?;
    let invitation = invitation.filter(|invitation| invitation.id == id).ok_or_else(unknown)?;
    let now = cx.ports.wall_now();
    if now >= invitation.started_at + LIFETIME || now + LIFETIME < invitation.started_at {
        return Err(Failure::sign_in(SignInTrouble::InvitationExpired));
    }
    Ok(invitation)
}

/// True if the sweep may delete the invitation at `place`.
pub(crate) fn is_over(cx: Context<'_>, place: u64) -> Result<bool, StoreError> {
    let invitation: Option<Invitation> = codec::read(cx, Bucket::Store, &invitation_key(place))?;
    Ok(invitation.is_some_and(|invitation| pending::is_long_over(cx, invitation.started_at)))
}

/// True if the sweep may delete the id of the user's last invitation.
pub(crate) fn is_shared_over(cx: Context<'_>, user: &UserKey) -> Result<bool, StoreError> {
    let shared: Option<Shared> = codec::read(cx, Bucket::Store, &shared_key(user))?;
    Ok(shared.is_some_and(|shared| pending::is_long_over(cx, shared.started_at)))
}

/// Starts the sign-in that a person agreed to. A second consent starts a second
/// sign-in, because the first page may have been closed.
pub fn accept(cx: Context<'_>, id: &str) -> Result<Accepted, Failure> {
    let invitation = open(cx, id)?;
    let scope = Scope::parse(&invitation.scope).map_err(|allowed| Failure::invalid_argument("scope", allowed))?;
    let browser = Secret::new(random_text(cx));
    let hash = base32_sha256(browser.expose());
    let request = authorization::authorize_for(cx, &invitation.user_id, &scope, Return::Browser(hash))?;
    Ok(Accepted { authorization_url: request.authorization_url, browser })
}

fn random_text(cx: Context<'_>) -> String {
    let mut bytes = [0; 24];
    cx.ports.random_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Four random digits for people to compare. They are no secret.
fn number(cx: Context<'_>) -> String {
    let mut bytes = [0; 4];
    cx.ports.random_bytes(&mut bytes);
    format!("{:04}", u32::from_le_bytes(bytes) % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::testing::TestWorld;

    fn settings(redirect_uri: &str) -> Settings {
        let variables = [("KROGER_CLIENT_ID", "app"), ("KROGER_REDIRECT_URI", redirect_uri)];
        Settings::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
    }

    #[test]
    fn calls_within_minutes_share_an_invitation_and_a_later_one_gets_a_new_one() {
        let (world, settings) = (TestWorld::new(), settings("http://localhost:9004/auth/callback"));
        let cx = Context { settings: &settings, ports: &world };
        let user = &settings.default_user;

        let first = invite(cx, user, &settings.scope).unwrap();
        let second = invite(cx, user, &settings.scope).unwrap();
        world.advance(LEFT);
        let third = invite(cx, user, &settings.scope).unwrap();

        assert_eq!(first, second);
        assert_ne!(first.id, third.id);
        assert!(open(cx, &first.id).is_ok());
    }

    #[test]
    fn an_invitation_ends_after_ten_minutes_and_only_its_whole_id_opens_it() {
        let (world, settings) = (TestWorld::new(), settings("http://localhost:9004/auth/callback"));
        let cx = Context { settings: &settings, ports: &world };
        let invited = invite(cx, &settings.default_user, &settings.scope).unwrap();

        for wrong in ["", "1", "1.", "1.AAAA", "x.y", "../1", &format!("{}x", invited.id)] {
            assert_eq!(open(cx, wrong).unwrap_err().cause, Cause::SignIn(SignInTrouble::InvitationUnknown), "{wrong}");
        }
        world.advance(LIFETIME);
        assert_eq!(accept(cx, &invited.id).unwrap_err().cause, Cause::SignIn(SignInTrouble::InvitationExpired));
    }
}
