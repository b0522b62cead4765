//! The app's own token (RFC 6749 § 4.4). It reads the catalog, and getting one at
//! start shows wrong credentials before a customer's call does.
//!
//! Kroger gives another one at any time. So the token is simply stored and
//! overwritten; nothing here claims or locks, and no user's token passes through here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Context;
use crate::failure::{AppTrouble, Cause, Failure};
use crate::kroger::client::Client;
use crate::kroger::token_response::{TokenResponse, TokenVerdict, verdict};
use crate::kroger::wire;
use crate::ports::{Bucket, Event, SendError, StoreError, Timestamp};
use crate::secret::{Fingerprint, Secret};
use crate::store::codec;
use crate::store::keys::{Key, Kind};

const SEND_TIMEOUT: Duration = Duration::from_secs(10);
const LEAST_LEFT: Duration = Duration::from_secs(30);
/// The timer does not try again for this long after a failure.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is known of the app's token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAppToken {
    /// The credentials that got it. The token of other credentials does not count.
    client: Fingerprint,
    pub(crate) at: Timestamp,
    pub state: AppTokenState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppTokenState {
    Token { access_token: Secret, expires_at: Timestamp },
    CredentialsRejected,
    Unavailable,
}

/// The stored state for the credentials that are configured.
pub fn stored(cx: Context<'_>) -> Result<Option<StoredAppToken>, StoreError> {
    let Some(own) = cx.settings.credentials() else { return Ok(None) };
    let stored: Option<StoredAppToken> = codec::read(cx, Bucket::Store, &Key::ClientToken.to_string())?;
    Ok(stored.filter(|stored| stored.client == own))
}

impl codec::Stored for StoredAppToken {
    const KIND: Kind = Kind::ClientToken;
    const VERSION: u32 = 1;
}

impl StoredAppToken {
    pub fn is_valid(&self, now: Timestamp) -> bool {
        matches!(&self.state, AppTokenState::Token { expires_at, .. } if *expires_at > now + LEAST_LEFT)
    }
}

/// A valid token of the app's own, from the store or from Kroger.
pub(crate) fn access_token(cx: Context<'_>) -> Result<Secret, Failure> {
    let Some(client) = &cx.settings.client else { return Err(Cause::App(AppTrouble::ClientMissing).into()) };
    let now = cx.ports.wall_now();
    let stored = stored(cx).map_err(|_| Failure::store_unavailable())?;
    if let Some(stored) = stored.filter(|stored| stored.is_valid(now))
        && let AppTokenState::Token { access_token, .. } = stored.state
    {
        return Ok(access_token);
    }
    fetch(cx, client)
}

/// A token of the app's own other than the `rejected` one: the token that another call
/// fetched since, or a new one.
pub(crate) fn other_than(cx: Context<'_>, rejected: &Secret) -> Result<Secret, Failure> {
    let Some(client) = &cx.settings.client else { return Err(Cause::App(AppTrouble::ClientMissing).into()) };
    let current = access_token(cx)?;
    if current == *rejected { fetch(cx, client) } else { Ok(current) }
}

/// Whether `token` is the app's current token, and still valid.
pub(crate) fn is_current(cx: Context<'_>, token: &Secret) -> bool {
    let Ok(Some(stored)) = stored(cx) else { return false };
    let is_same = matches!(&stored.state, AppTokenState::Token { access_token, .. } if access_token == token);
    is_same && stored.is_valid(cx.ports.wall_now())
}

/// Fetches a token if the store has no valid one. After a failure it waits for
/// [`PATIENCE`]. A public client has no token of its own, so nothing is done for it.
pub(crate) fn keep(cx: Context<'_>) {
    let now = cx.ports.wall_now();
    let is_confidential = cx.settings.client.as_ref().is_some_and(|client| client.secret.is_some());
    let Ok(stored) = stored(cx) else { return };
    let is_settled = stored.is_some_and(|stored| match stored.state {
        AppTokenState::Token { .. } => stored.is_valid(now),
        AppTokenState::CredentialsRejected | AppTokenState::Unavailable => {
            now >= stored.at && now < stored.at + PATIENCE
        }
    });
    if is_confidential && !is_settled {
        // The outcome is in the store, where `/health` reads it.
        let _ = access_token(cx);
    }
}

fn fetch(cx: Context<'_>, client: &Client) -> Result<Secret, Failure> {
    let answer = cx.ports.send(&wire::client_credentials_request(&cx.settings.token_path, client), SEND_TIMEOUT);
    let now = cx.ports.wall_now();
    match answer.map(|response| verdict(&response, now)) {
        Ok(TokenVerdict::Granted(TokenResponse { access_token, expires_in, .. })) => {
            let state = AppTokenState::Token { access_token: access_token.clone(), expires_at: now + expires_in };
            note(cx, state);
            Ok(access_token)
        }
        Ok(TokenVerdict::ClientRefused | TokenVerdict::Refused | TokenVerdict::RequestRefused(_)) => {
            let was_known =
                matches!(stored(cx), Ok(Some(StoredAppToken { state: AppTokenState::CredentialsRejected, .. })));
            if !was_known {
                cx.ports.log(&Event::CredentialsRejected);
            }
            note(cx, AppTokenState::CredentialsRejected);
            Err(Cause::App(AppTrouble::ClientRejected).into())
        }
        Ok(TokenVerdict::Busy { .. } | TokenVerdict::Failed { .. } | TokenVerdict::Unintelligible)
        | Err(SendError::NotSent | SendError::Unknown) => {
            note(cx, AppTokenState::Unavailable);
            Err(Failure::from(Cause::App(AppTrouble::TokenUnavailable)).retry_after(Duration::from_secs(5)))
        }
    }
}

/// A token that cannot be stored is fetched again next time.
fn note(cx: Context<'_>, state: AppTokenState) {
    let Some(client) = cx.settings.credentials() else { return };
    let stored = StoredAppToken { client, at: cx.ports.wall_now(), state };
    if cx.ports.set(Bucket::Store, &Key::ClientToken.to_string(), &codec::encode(&stored)).is_err() {
        cx.ports.log(&Event::StoreTrouble { doing: "storing the app's own token" });
    }
}
