//! Starts a sign-in: authorization code with PKCE (RFC 6749 § 4.1, RFC 7636) and a
//! `state` that works once. Sends nothing and keeps nothing: the user's browser opens the
//! URL, and the `state` carries the sign-in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use url::Url;

use crate::Context;
use crate::failure::{AppTrouble, Cause, Failure};
use crate::grant::lineage::Current;
use crate::grant::{due, records};
use crate::kroger::client::Client;
use crate::kroger::wire;
use crate::ports::StoreError;
use crate::scope::Scope;
use crate::secret::Secret;
use crate::sign_in::browser;
use crate::sign_in::pending::{self, History, Pending, Return};
use crate::user::UserId;

/// A sign-in that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationRequest {
    pub authorization_url: String,
    pub redirect_uri: String,
    pub scope: String,
    pub state: String,
}

/// Starts a sign-in for `scope`, else for the configured one. The user may come back
/// in any browser.
pub fn authorize(cx: Context<'_>, user: &UserId, scope: Option<&Scope>) -> Result<AuthorizationRequest, Failure> {
    authorize_for(cx, user, scope.unwrap_or(&cx.settings.scope), Return::Anywhere)
}

/// Starts a sign-in. The user must come back by the way `returns`.
pub fn authorize_for(
    cx: Context<'_>,
    user: &UserId,
    scope: &Scope,
    returns: Return,
) -> Result<AuthorizationRequest, Failure> {
    let client = client(cx)?;
    let current = records::current(cx, &user.key()).map_err(|_| Failure::store_unavailable())?;
    refuse_over_anothers(cx, &current)?;
    start(cx, client, user, scope, returns, &current).map_err(|_| Failure::store_unavailable())
}

/// A sign-in for one browser.
#[derive(Debug)]
pub struct ForBrowser {
    pub authorization_url: String,
    /// The secret that the browser shows when it comes back.
    pub browser: Secret,
}

/// Starts a sign-in. The user must come back in the browser that gets the answer.
pub fn authorize_browser(cx: Context<'_>, user: &UserId, scope: &Scope) -> Result<ForBrowser, Failure> {
    bound(cx, user, scope, random_text(cx))
}

/// Starts a sign-in for the browser that has the secret of `binding`.
pub(super) fn bound(cx: Context<'_>, user: &UserId, scope: &Scope, binding: String) -> Result<ForBrowser, Failure> {
    let browser = browser::secret(cx, &binding).map_err(|_| Failure::store_unavailable())?;
    let request = authorize_for(cx, user, scope, Return::Browser(binding))?;
    Ok(ForBrowser { authorization_url: request.authorization_url, browser })
}

/// Refuses to replace a live sign-in that another app obtained.
pub(super) fn refuse_over_anothers(cx: Context<'_>, current: &Current) -> Result<(), Failure> {
    let Current::Grant(grant) = current else { return Ok(()) };
    let Some(other) = grant.of_another(&cx.settings.app) else { return Ok(()) };
    let is_dead = due::is_refused(cx, grant).map_err(|_| Failure::store_unavailable())?;
    if is_dead {
        Ok(())
    } else {
        Err(Cause::App(AppTrouble::NotTheGrants {
            theirs: Box::new(other.clone()),
            ours: Box::new(cx.settings.app.clone()),
        })
        .into())
    }
}

pub(super) fn client(cx: Context<'_>) -> Result<&Client, Failure> {
    cx.settings.client.as_ref().ok_or_else(|| Cause::App(AppTrouble::ClientMissing).into())
}

fn start(
    cx: Context<'_>,
    client: &Client,
    user: &UserId,
    scope: &Scope,
    returns: Return,
    current: &Current,
) -> Result<AuthorizationRequest, StoreError> {
    let pending = Pending {
        user_id: user.clone(),
        scope: scope.as_str().to_owned(),
        redirect_uri: cx.settings.redirect_uri.to_string(),
        history: History::of(cx, &user.key(), current)?,
        started_at: cx.ports.wall_now(),
        returns,
        nonce: random_text(cx),
    };
    let (state, verifier) = pending::sealed(cx, &pending)?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose()));
    Ok(AuthorizationRequest {
        authorization_url: url(cx, client, scope, &state, &challenge).into(),
        redirect_uri: pending.redirect_uri,
        scope: pending.scope,
        state,
    })
}

/// The URL of the page on which the user agrees.
fn url(cx: Context<'_>, client: &Client, scope: &Scope, state: &str, challenge: &str) -> Url {
    let endpoint = cx.settings.authorization_endpoint();
    wire::authorization_url(endpoint, &cx.settings.redirect_uri, client, scope, state, challenge)
}

/// 128 random bits in 22 characters.
fn random_text(cx: Context<'_>) -> String {
    let mut bytes = [0; 16];
    cx.ports.random_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::SignInTrouble;
    use crate::grant::records::roots_key;
    use crate::settings::Settings;
    use crate::sign_in::exchange::{complete, decline};
    use crate::sign_in::lifetime::LIFETIME;
    use crate::sign_in::pending::{Progress, progress};
    use crate::sign_in::sign_out::forget;
    use crate::testing::TestWorld;

    fn settings() -> Settings {
        let app = [("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "hush")];
        Settings::from_variables(app.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
    }

    fn alice() -> UserId {
        UserId::parse("alice").unwrap()
    }

    #[test]
    fn a_sign_in_is_open_until_its_redirect_or_its_end() {
        let (settings, world) = (settings(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        let [declined, forgotten, late] = [(); 3].map(|()| authorize(cx, &alice(), None).unwrap().state);

        assert_eq!(progress(cx, &declined), Ok(Progress::Open));
        decline(cx, &declined).unwrap();
        assert_eq!(progress(cx, &declined), Ok(Progress::Taken));
        forget(cx, &alice()).unwrap();
        assert_eq!(progress(cx, &forgotten), Ok(Progress::Over));
        let after = authorize(cx, &alice(), None).unwrap().state;
        assert_eq!(progress(cx, &after), Ok(Progress::Open));
        world.advance(LIFETIME);
        assert_eq!([progress(cx, &late), progress(cx, &after)], [Ok(Progress::Over); 2]);
        assert_eq!(progress(cx, "nobody's"), Ok(Progress::Over));
    }

    #[test]
    fn two_thousand_sign_ins_of_strangers_push_out_nobody_and_leave_nothing() {
        let (settings, world) = (settings(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        let state = authorize(cx, &alice(), None).unwrap().state;
        let before = world.keys();

        for number in 0..2_000 {
            let stranger = UserId::parse(&format!("stranger-{}", number % 100)).unwrap();
            authorize(cx, if number < 1_000 { &stranger } else { &settings.default_user }, None).unwrap();
        }
        let after = world.keys();
        world.answer_with_tokens("A", "R");

        assert_eq!(after, before);
        assert!(complete(cx, &Secret::new("code"), &state).is_ok());
    }

    #[test]
    fn strangers_sign_outs_take_a_bounded_number_of_places() {
        let (settings, world) = (settings(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        let bob = UserId::parse("bob").unwrap();
        let (open, ended) = (authorize(cx, &alice(), None).unwrap().state, authorize(cx, &bob, None).unwrap().state);
        forget(cx, &bob).unwrap();

        let strangers = (0..6_000).map(|number| UserId::parse(&format!("stranger-{number}")).unwrap());
        let refused = strangers.filter(|stranger| forget(cx, stranger).is_err()).count();

        assert!(refused > 0 && world.keys().len() <= 1_024 + 1, "{refused} {}", world.keys().len());
        assert_eq!(progress(cx, &open), Ok(Progress::Open));
        assert_eq!(progress(cx, &ended), Ok(Progress::Over), "nobody brings a link back that a sign-out ended");
        world.advance(LIFETIME * 2);
        forget(cx, &UserId::parse("a-late-stranger").unwrap()).unwrap();
    }

    #[test]
    fn a_completed_sign_in_voids_the_others_of_its_user() {
        let (settings, world) = (settings(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        let [older, newer] = [(); 2].map(|()| authorize(cx, &alice(), None).unwrap().state);
        let others = authorize(cx, &UserId::parse("bob").unwrap(), None).unwrap().state;
        world.answer_with_tokens("A", "R");

        complete(cx, &Secret::new("code"), &newer).unwrap();

        let void = complete(cx, &Secret::new("code"), &older).unwrap_err();
        assert_eq!(void.cause, Cause::SignIn(SignInTrouble::Unknown));
        assert_eq!(progress(cx, &others), Ok(Progress::Open));
    }

    #[test]
    fn refused_codes_leave_no_root_and_no_gap() {
        let (settings, world) = (settings(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };

        for _ in 0..50 {
            let state = authorize(cx, &alice(), None).unwrap().state;
            world.answer(400, r#"{"error":"invalid_grant"}"#);
            complete(cx, &Secret::new("made-up"), &state).unwrap_err();
        }

        assert!(!world.keys().contains(&roots_key(&alice().key())), "{:?}", world.keys());
    }
}
