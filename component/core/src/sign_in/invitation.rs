//! Invites a person to sign in through an agent: a link of ours, and the page behind
//! it. Grants nothing: the page only leads on to Kroger.
//!
//! The attack: a link is passed on, and the person who opens it connects their
//! account for somebody else. The answer: the page shows a number that the agent
//! shows too, and asks the person to compare them. Only the browser in which the
//! person agrees may come back from Kroger.
//!
//! The link's id carries the invitation, sealed: none leaves a record, and a caller who
//! asks for a thousand pushes out nobody's. Calls within minutes get the same one, because
//! equal invitations seal to equal ids.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Context;
use crate::failure::{AppTrouble, Cause, Failure, SignInTrouble};
use crate::grant::records;
use crate::ports::{StoreError, Timestamp};
use crate::scope::Scope;
use crate::secret::base32_sha256;
use crate::sign_in::authorization::{self, ForBrowser};
use crate::sign_in::lifetime::is_expired;
use crate::sign_in::pending::History;
use crate::sign_in::seal::Seal;
use crate::sign_in::{browser, used};
use crate::user::UserId;

/// Calls within this time share an invitation. It works for the lifetime of a sign-in
/// after that.
const SHARED: Duration = Duration::from_secs(300);
/// After so many invitations were accepted within [`SHARED`], the last one is shared on.
const MOST: u64 = 20;

/// An invitation as an agent hands it to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    pub id: String,
    /// Four digits that both the page and the agent show.
    pub number: String,
}

/// An invitation that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    pub user_id: UserId,
    pub number: String,
    scope: Scope,
    shared_until: Timestamp,
}

/// An invitation as its id carries it.
#[derive(Serialize, Deserialize)]
struct Carried {
    #[serde(rename = "u")]
    user_id: UserId,
    #[serde(rename = "s")]
    scope: String,
    #[serde(rename = "h")]
    history: History,
    #[serde(rename = "t")]
    shared_until: Timestamp,
    /// How many before it were accepted; random in one that is not shared.
    #[serde(rename = "n")]
    number: u64,
}

fn seal(cx: Context<'_>) -> Result<Seal, StoreError> {
    Seal::new(cx, "sign-in invitation")
}

/// Returns the user's open invitation for `scope`, else a new one. One that a person
/// accepted is not handed out again.
pub fn invite(cx: Context<'_>, user: &UserId, scope: &Scope) -> Result<Invited, Failure> {
    if cx.settings.client.is_none() {
        return Err(Cause::App(AppTrouble::ClientMissing).into());
    }
    open_one(cx, user, scope).map_err(|_| Failure::store_unavailable())
}

/// Returns an invitation that is not shared, for one page.
pub fn invite_alone(cx: Context<'_>, user: &UserId, scope: &Scope) -> Result<Invited, Failure> {
    if cx.settings.client.is_none() {
        return Err(Cause::App(AppTrouble::ClientMissing).into());
    }
    alone(cx, user, scope).map_err(|_| Failure::store_unavailable())
}

fn alone(cx: Context<'_>, user: &UserId, scope: &Scope) -> Result<Invited, StoreError> {
    let mut bytes = [0; 8];
    cx.ports.random_bytes(&mut bytes);
    let (seal, number) = (seal(cx)?, u64::from_le_bytes(bytes) | 1 << 63);
    let id = seal.seal(&Carried { number, ..carried(cx, user, scope)? });
    Ok(Invited { number: self::number(&seal, &id), id })
}

fn open_one(cx: Context<'_>, user: &UserId, scope: &Scope) -> Result<Invited, StoreError> {
    let seal = seal(cx)?;
    let mut carried = carried(cx, user, scope)?;
    loop {
        let id = seal.seal(&carried);
        if carried.number >= MOST || !used::is_used(cx, &id, carried.shared_until)? {
            return Ok(Invited { number: number(&seal, &id), id });
        }
        carried.number += 1;
    }
}

fn carried(cx: Context<'_>, user: &UserId, scope: &Scope) -> Result<Carried, StoreError> {
    let window = SHARED.as_secs();
    Ok(Carried {
        user_id: user.clone(),
        scope: scope.as_str().to_owned(),
        history: History::read(cx, &user.key())?,
        shared_until: Timestamp::from_secs((cx.ports.wall_now().as_secs() / window + 1) * window),
        number: 0,
    })
}

/// Reads the invitation of `id`, if it can still be accepted. `shown` is the text that
/// the browser shows.
///
/// # Errors
/// It is unknown, older than 15 minutes, or was accepted in another browser, or the user
/// signed in or out since it was made.
pub fn open(cx: Context<'_>, id: &str, shown: Option<&str>) -> Result<Invitation, Failure> {
    let invitation = valid(cx, id).map_err(|_| Failure::store_unavailable())??;
    let is_used = used::is_used(cx, id, invitation.shared_until).map_err(|_| Failure::store_unavailable())?;
    if is_used && !is_own(cx, id, shown)? {
        return Err(Failure::sign_in(SignInTrouble::InvitationUnknown));
    }
    Ok(invitation)
}

fn valid(cx: Context<'_>, id: &str) -> Result<Result<Invitation, Failure>, StoreError> {
    let (seal, unknown) = (seal(cx)?, || Failure::sign_in(SignInTrouble::InvitationUnknown));
    let Some(carried) = seal.open::<Carried>(id) else { return Ok(Err(unknown())) };
    let Ok(scope) = Scope::parse(&carried.scope) else { return Ok(Err(unknown())) };
    if is_expired(cx, carried.shared_until) {
        return Ok(Err(Failure::sign_in(SignInTrouble::InvitationExpired)));
    }
    let user = carried.user_id.key();
    if carried.history.is_past(cx, &user, &records::current(cx, &user)?)? {
        return Ok(Err(unknown()));
    }
    let number = number(&seal, id);
    Ok(Ok(Invitation { user_id: carried.user_id, number, scope, shared_until: carried.shared_until }))
}

/// True if the browser that shows this is the one in which the invitation was accepted.
fn is_own(cx: Context<'_>, id: &str, shown: Option<&str>) -> Result<bool, Failure> {
    browser::is_bound(cx, &base32_sha256(id), shown).map_err(|_| Failure::store_unavailable())
}

/// Starts the sign-in that a person agreed to, in the browser that gets the answer. A
/// second consent in that browser starts a second sign-in, because the first page may
/// have been closed. Another browser is refused.
pub fn accept(cx: Context<'_>, id: &str, shown: Option<&str>) -> Result<ForBrowser, Failure> {
    let invitation = open(cx, id, shown)?;
    let is_first = used::take(cx, id, invitation.shared_until).map_err(|_| Failure::store_unavailable())?;
    if !is_first && !is_own(cx, id, shown)? {
        return Err(Failure::sign_in(SignInTrouble::InvitationUnknown));
    }
    authorization::bound(cx, &invitation.user_id, &invitation.scope, base32_sha256(id))
}

/// Four digits for people to compare. They are no secret.
fn number(seal: &Seal, id: &str) -> String {
    let [a, b, c, d, ..] = seal.derive("number", id);
    format!("{:04}", u32::from_le_bytes([a, b, c, d]) % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::settings::Settings;
    use crate::sign_in::lifetime::LIFETIME;
    use crate::sign_in::{exchange, sign_out};
    use crate::testing::TestWorld;

    fn settings(redirect_uri: &str) -> Settings {
        let variables = [("KROGER_CLIENT_ID", "app"), ("KROGER_REDIRECT_URI", redirect_uri)];
        Settings::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
    }

    const URI: &str = "http://localhost:9004/auth/callback";

    #[test]
    fn calls_within_minutes_share_an_invitation_and_a_later_one_gets_a_new_one() {
        let (world, settings) = (TestWorld::new(), settings(URI));
        let cx = Context { settings: &settings, ports: &world };
        let user = &settings.default_user;

        let first = invite(cx, user, &settings.scope).unwrap();
        let second = invite(cx, user, &settings.scope).unwrap();
        world.advance(SHARED);
        let third = invite(cx, user, &settings.scope).unwrap();

        assert_eq!(first, second);
        assert_ne!(first.id, third.id);
        assert!(open(cx, &first.id, None).is_ok());
    }

    #[test]
    fn an_invitation_works_for_ten_minutes_and_only_its_whole_id_opens_it() {
        let (world, settings) = (TestWorld::new(), settings(URI));
        let cx = Context { settings: &settings, ports: &world };
        world.advance(Duration::from_secs(299));
        let invited = invite(cx, &settings.default_user, &settings.scope).unwrap();

        for wrong in ["", "1", "1.", "1.AAAA", "x.y", "../1", &format!("{}x", invited.id)] {
            let cause = open(cx, wrong, None).unwrap_err().cause;
            assert_eq!(cause, Cause::SignIn(SignInTrouble::InvitationUnknown), "{wrong}");
        }
        world.advance(LIFETIME);
        assert!(open(cx, &invited.id, None).is_ok());
        world.advance(Duration::from_secs(1));
        let over = accept(cx, &invited.id, None).unwrap_err().cause;
        assert_eq!(over, Cause::SignIn(SignInTrouble::InvitationExpired));
    }

    #[test]
    fn an_accepted_invitation_is_for_one_browser_and_is_not_handed_out_again() {
        let (world, settings) = (TestWorld::new(), settings(URI));
        let cx = Context { settings: &settings, ports: &world };
        let user = &settings.default_user;
        let invited = invite(cx, user, &settings.scope).unwrap();

        let alices = accept(cx, &invited.id, None).unwrap().browser;

        for bobs in [None, Some(""), Some("forged")] {
            assert!(open(cx, &invited.id, bobs).is_err(), "{bobs:?}");
            assert!(accept(cx, &invited.id, bobs).is_err(), "{bobs:?}");
        }
        assert!(accept(cx, &invited.id, Some(alices.expose())).is_ok());
        assert_ne!(invite(cx, user, &settings.scope).unwrap(), invited);
    }

    #[test]
    fn a_sign_in_or_a_sign_out_voids_the_link_and_its_number_does_not_come_back() {
        for name in ["user_default", "never-signed-in"] {
            let (world, settings) = (TestWorld::new(), settings(URI));
            let cx = Context { settings: &settings, ports: &world };
            let user = UserId::parse(name).unwrap();
            let mut before = vec![invite(cx, &user, &settings.scope).unwrap()];
            let is_open = |invited: &Invited| open(cx, &invited.id, None).is_ok();

            sign_out::forget(cx, &user).unwrap();
            assert!(!is_open(&before[0]), "{name}");
            before.push(invite(cx, &user, &settings.scope).unwrap());
            world.answer_with_tokens("A", "R");
            let state = authorization::authorize(cx, &user, None).unwrap().state;
            exchange::complete(cx, &Secret::new("code"), &state).unwrap();
            assert!(!is_open(&before[1]), "{name}");
            before.push(invite(cx, &user, &settings.scope).unwrap());
            sign_out::forget(cx, &user).unwrap();
            assert!(!is_open(&before[2]), "{name}");
            before.push(invite(cx, &user, &settings.scope).unwrap());

            assert!(is_open(&before[3]), "{name}");
            for (index, invited) in before.iter().enumerate() {
                assert!(before[..index].iter().all(|other| other.number != invited.number), "{name}: {before:?}");
            }
        }
    }
}
