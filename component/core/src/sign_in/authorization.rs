//! Starts a sign-in: authorization code with PKCE (RFC 6749 § 4.1, RFC 7636) and a
//! `state` that works once. Sends nothing: the user's browser opens the URL.

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
use crate::ports::{Bucket, StoreError};
use crate::scope::Scope;
use crate::secret::{Secret, base32_sha256};
use crate::sign_in::pending::{Pending, RING, Return, pending_key};
use crate::store::codec;
use crate::store::ticket::Root;
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
    start(cx, client, user, scope, returns, current.root()).map_err(|_| Failure::store_unavailable())
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
    root: Option<Root>,
) -> Result<AuthorizationRequest, StoreError> {
    let place = RING.take(cx)?;
    let state = format!("{place}.{}", random_text(cx));
    let verifier = Secret::new(random_text(cx));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose()));
    let pending = Pending {
        state_hash: base32_sha256(&state),
        verifier,
        user_id: user.clone(),
        scope: scope.as_str().to_owned(),
        redirect_uri: cx.settings.redirect_uri.to_string(),
        root,
        started_at: cx.ports.wall_now(),
        returns,
    };
    cx.ports.set(Bucket::Store, &pending_key(place), &codec::encode(&pending))?;
    Ok(AuthorizationRequest {
        authorization_url: url(cx, client, scope, &state, &challenge).into(),
        redirect_uri: pending.redirect_uri,
        scope: pending.scope,
        state,
    })
}

/// The URL of the page on which the user agrees.
pub(super) fn url(cx: Context<'_>, client: &Client, scope: &Scope, state: &str, challenge: &str) -> Url {
    let endpoint = cx.settings.authorization_endpoint();
    wire::authorization_url(endpoint, &cx.settings.redirect_uri, client, scope, state, challenge)
}

/// 256 random bits in 43 characters, for a `state` or a PKCE verifier (RFC 7636
/// § 4.1).
fn random_text(cx: Context<'_>) -> String {
    let mut bytes = [0; 32];
    cx.ports.random_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::sign_in::exchange::decline;
    use crate::sign_in::pending::{LIFETIME, Progress, end, progress};
    use crate::testing::TestWorld;

    fn settings() -> Settings {
        let app = [("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "hush")];
        Settings::from_variables(app.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
    }

    #[test]
    fn a_sign_in_is_open_until_its_redirect_or_its_end() {
        let (settings, world) = (settings(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        let alice = UserId::parse("alice").unwrap();
        let [declined, forgotten, late] = [(); 3].map(|()| authorize(cx, &alice, None).unwrap().state);

        assert_eq!(progress(cx, &declined), Ok(Progress::Open));
        decline(cx, &declined).unwrap();
        assert_eq!(progress(cx, &declined), Ok(Progress::Taken));
        world.advance(LIFETIME);
        assert_eq!(progress(cx, &late), Ok(Progress::Over));
        end(cx, &alice).unwrap();
        assert_eq!(progress(cx, &forgotten), Ok(Progress::Over));
        assert_eq!(progress(cx, "nobody's"), Ok(Progress::Over));
    }
}
