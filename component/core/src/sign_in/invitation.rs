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
//!
//! | key | value |
//! |---|---|
//! | `invitation.places` | counter; its remainder by 1,000 is the next place |
//! | `invitation.<place>` | an `Invitation` |
//! | `invitation_of.<user>` | the id of the user's last invitation, which later calls share |

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::Context;
use crate::failure::{Cause, Failure, SignInTrouble};
use crate::grant::lineage::SCHEMA_VERSION;
use crate::grant::records;
use crate::ports::{Bucket, Timestamp};
use crate::secret::{Secret, base32_sha256};
use crate::settings::{Scope, Settings};
use crate::sign_in::authorization;
use crate::sign_in::pending::{LIFETIME, Return};
use crate::user::UserId;

const PLACES: u64 = 1_000;
const PLACES_KEY: &str = "invitation.places";
/// The least time left for an invitation to be shared.
const LEFT: Duration = Duration::from_secs(300);

/// An invitation as an agent hands it to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    pub id: String,
    pub url: String,
    /// Four digits that both the page and the agent show.
    pub number: String,
}

/// An invitation that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    schema_version: u32,
    id: String,
    pub user_id: UserId,
    scope: String,
    pub number: String,
    started_at: Timestamp,
}

/// The consent of a person, in one browser.
#[derive(Debug)]
pub struct Accepted {
    pub authorization_url: String,
    /// The secret that the browser shows when it comes back.
    pub browser: Secret,
}

#[derive(Serialize, Deserialize)]
struct Shared {
    schema_version: u32,
    id: String,
    started_at: Timestamp,
}

fn key(place: &str) -> String {
    format!("invitation.{place}")
}

fn shared_key(user: &UserId) -> String {
    format!("invitation_of.{}", user.key())
}

/// Returns the user's open invitation for `scope`, else a new one.
pub fn invite(cx: Context<'_>, user: &UserId, scope: &Scope) -> Result<Invited, Failure> {
    if cx.settings.client.is_none() {
        return Err(Cause::ClientMissing.into());
    }
    let unavailable = |_| Failure::store_unavailable();
    let shared: Option<Shared> = records::read(cx, Bucket::Store, &shared_key(user)).map_err(unavailable)?;
    if let Some(shared) = shared
        && let Ok(invitation) = open(cx, &shared.id)
        && invitation.scope == scope.as_str()
        && cx.ports.wall_now() + LEFT < invitation.started_at + LIFETIME
    {
        return Ok(invited(cx.settings, &invitation));
    }
    let place = cx.ports.increment(PLACES_KEY, 1).map_err(unavailable)? % PLACES;
    let invitation = Invitation {
        schema_version: SCHEMA_VERSION,
        id: format!("{place}.{}", random_text(cx)),
        user_id: user.clone(),
        scope: scope.as_str().to_owned(),
        number: number(cx),
        started_at: cx.ports.wall_now(),
    };
    let shared =
        Shared { schema_version: SCHEMA_VERSION, id: invitation.id.clone(), started_at: invitation.started_at };
    cx.ports
        .set(Bucket::Store, &key(&place.to_string()), &records::encode(&invitation))
        .and_then(|()| cx.ports.set(Bucket::Store, &shared_key(user), &records::encode(&shared)))
        .map_err(unavailable)?;
    Ok(invited(cx.settings, &invitation))
}

fn invited(settings: &Settings, invitation: &Invitation) -> Invited {
    let url = page(settings, &invitation.id).into();
    Invited { id: invitation.id.clone(), url, number: invitation.number.clone() }
}

/// The URL of the page. It lies beside the redirect URI, below the same prefix.
fn page(settings: &Settings, id: &str) -> Url {
    let mut url = settings.redirect_uri.clone();
    url.set_query(None);
    let before = url.path().strip_suffix("/auth/callback").unwrap_or_default().to_owned();
    url.set_path(&format!("{before}/auth/start/{id}"));
    url
}

/// Reads the invitation of `id`, if it can still be accepted.
///
/// # Errors
/// It is unknown, a newer one has its place, or it is older than 10 minutes.
pub fn open(cx: Context<'_>, id: &str) -> Result<Invitation, Failure> {
    let unknown = || Failure::sign_in(SignInTrouble::InvitationUnknown);
    let (place, _) = id.split_once('.').ok_or_else(unknown)?;
    let is_place = (1..=3).contains(&place.len()) && place.bytes().all(|byte| byte.is_ascii_digit());
    if !is_place || id.len() > 64 {
        return Err(unknown());
    }
    let invitation: Option<Invitation> =
        records::read(cx, Bucket::Store, &key(place)).map_err(|_| Failure::store_unavailable())?;
    let invitation = invitation.filter(|invitation| invitation.id == id).ok_or_else(unknown)?;
    let now = cx.ports.wall_now();
    if now >= invitation.started_at + LIFETIME || now + LIFETIME < invitation.started_at {
        return Err(Failure::sign_in(SignInTrouble::InvitationExpired));
    }
    Ok(invitation)
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

/// Four random digits. They serve to compare, not to guard.
fn number(cx: Context<'_>) -> String {
    let mut bytes = [0; 4];
    cx.ports.random_bytes(&mut bytes);
    format!("{:04}", u32::from_le_bytes(bytes) % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestWorld;

    fn settings(redirect_uri: &str) -> Settings {
        let variables = [("KROGER_CLIENT_ID", "app"), ("KROGER_REDIRECT_URI", redirect_uri)];
        Settings::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
    }

    #[test]
    fn the_page_stands_where_kroger_sends_people_back_to() {
        let page = |redirect_uri: &str| page(&settings(redirect_uri), "1.x").to_string();

        assert_eq!(page("http://localhost:9004/auth/callback"), "http://localhost:9004/auth/start/1.x");
        assert_eq!(page("https://home.example/kroger/auth/callback"), "https://home.example/kroger/auth/start/1.x");
        assert_eq!(page("https://home.example/elsewhere?a=b"), "https://home.example/auth/start/1.x");
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
