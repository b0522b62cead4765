//! `GET /admin/tokens`, `POST /admin/tokens/refresh` and `DELETE /admin/tokens/{user_id}`: show, refresh and forget
//! tokens. They never show a token itself.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use serde::Serialize;

use super::call::{Call, json, user};
use super::problem::Problem;
use super::words::{self, seconds_left};
use crate::fields::values::Whole;
use crate::fields::{Nothing, json as body_json};
use crate::words::OF_ANOTHER_APP;
use kroger_core::Context;
use kroger_core::failure::Failure;
use kroger_core::grant::attempts::AttemptOutcome;
use kroger_core::grant::lineage::Source;
use kroger_core::grant::page_of_users::{self, PageOfUsers, Place};
use kroger_core::grant::status::{self, Held, Status, TokenState};
use kroger_core::grant::{on_demand, records};
use kroger_core::ports::{StoreError, Timestamp};
use kroger_core::service::maintenance;
use kroger_core::settings::EnvironmentPair;
use kroger_core::sign_in::sign_out;
use kroger_core::store::health::{self, Persistence};
use kroger_core::upstream::app_token::{self, AppTokenState, StoredAppToken};

const AUTOMATICALLY: &str = "automatically";
const ON_NEXT_USE: &str = "on next use";
/// The most users of one page.
const MOST: u32 = 1_000;
const NEVER: &str = "never: there is no refresh token";

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct TokensPage<'a> {
    client_credentials: ClientCredentials,
    user_tokens: BTreeMap<String, UserEntry>,
    /// Present if there are more users. The next page begins there.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    token_storage: TokenStorage<'a>,
    settings: Settings,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct ClientCredentials {
    exists: bool,
    #[serde(flatten)]
    entry: Entry,
}

/// The state of one token.
#[derive(Default, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at_readable: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expired_ago: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    will_refresh: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct UserEntry {
    #[serde(flatten)]
    entry: Entry,
    has_refresh_token: bool,
    scope: Option<String>,
    source: &'static str,
    refreshed_at: Option<u64>,
    refreshed_at_readable: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<&'static str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct TokenStorage<'a> {
    file_exists: bool,
    file_path: &'a str,
    auto_refresh_enabled: bool,
    persistence_enabled: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct Settings {
    refresh_buffer_seconds: u64,
    check_interval_seconds: u64,
    max_retries: u32,
    success_rate: Option<String>,
}

pub(super) async fn tokens(call: Call) -> Result<Response, Problem> {
    let cx = call.context();
    let asked = AskedPage::of(&call)?;
    let page = asked.read(cx).map_err(|_| Failure::store_unavailable())?;
    Ok(json(&TokensPage {
        client_credentials: client_credentials(cx)?,
        next_cursor: next_cursor(&page),
        user_tokens: user_tokens(cx, page.users),
        token_storage: TokenStorage {
            file_exists: health::is_readable(cx),
            file_path: words::store_name(cx.settings),
            auto_refresh_enabled: maintenance::is_running(cx).unwrap_or(false),
            persistence_enabled: health::persistence(cx) == Persistence::Kept,
        },
        settings: Settings {
            refresh_buffer_seconds: cx.settings.refresh_buffer.as_secs(),
            check_interval_seconds: cx.settings.check_interval.as_secs(),
            max_retries: cx.settings.max_refresh_retries,
            success_rate: words::success_rate(cx),
        },
    }))
}

pub(super) fn client_credentials(cx: Context<'_>) -> Result<ClientCredentials, Problem> {
    let now = cx.ports.wall_now();
    let stored = app_token::stored(cx).map_err(|_| Failure::store_unavailable())?;
    let exists = matches!(&stored, Some(StoredAppToken { state: AppTokenState::Token { .. }, .. }));
    Ok(ClientCredentials { exists, entry: stored.map(|stored| client_entry(&stored, now)).unwrap_or_default() })
}

fn client_entry(stored: &StoredAppToken, now: Timestamp) -> Entry {
    let invalid = |reason| Entry { status: Some("invalid"), reason: Some(reason), ..Entry::default() };
    match stored.state {
        AppTokenState::Token { expires_at, .. } if now < expires_at => {
            Entry::valid("valid", expires_at, now, AUTOMATICALLY)
        }
        AppTokenState::Token { expires_at, .. } => Entry::expired("expired", expires_at, now),
        AppTokenState::CredentialsRejected => invalid("Kroger rejected KROGER_CLIENT_ID and KROGER_CLIENT_SECRET"),
        AppTokenState::Unavailable => invalid("Kroger did not answer at the last try; it is tried again"),
    }
}

/// The page of users that a caller asks for.
pub(super) struct AskedPage {
    place: Place,
    limit: usize,
}

impl AskedPage {
    /// Users of one page, where the caller does not say how many.
    const USUAL: u32 = 100;

    pub(super) fn of(call: &Call) -> Result<Self, Problem> {
        let limit: Option<Whole<1, MOST>> = call.read("limit")?;
        let place = match call.parameter("cursor")? {
            Some(text) => text.parse().map_err(|_| {
                Problem::invalid_argument("cursor", "the `next_cursor` of an earlier answer, unchanged")
            })?,
            None => Place::default(),
        };
        Ok(Self { place, limit: limit.map_or(Self::USUAL, |limit| limit.0) as usize })
    }

    pub(super) fn read(&self, cx: Context<'_>) -> Result<PageOfUsers, StoreError> {
        page_of_users::page(cx, self.place, self.limit)
    }
}

pub(super) fn next_cursor(page: &PageOfUsers) -> Option<String> {
    page.next.map(|place| place.to_string())
}

/// The state of each of these users.
pub(super) fn user_tokens(cx: Context<'_>, users: Vec<Held>) -> BTreeMap<String, UserEntry> {
    let now = cx.ports.wall_now();
    let entry = |held| match held {
        Held::InStore(status) => user_entry(status, now),
        Held::Outside { pair, .. } => outside_entry(&pair, now),
    };
    users.into_iter().map(|held| (held.user().as_str().to_owned(), entry(held))).collect()
}

fn user_entry(Status { grant, state, last_error, .. }: Status, now: Timestamp) -> UserEntry {
    let expires_at = grant.tokens.expires_at;
    let has_refresh_token = grant.tokens.refresh_token.is_some();
    let will_refresh = if has_refresh_token { AUTOMATICALLY } else { NEVER };
    let entry = match state {
        TokenState::Valid => Entry::valid("valid", expires_at, now, will_refresh),
        TokenState::ExpiringSoon => Entry::valid("expiring_soon", expires_at, now, will_refresh),
        TokenState::Expired => Entry::expired("expired", expires_at, now),
        TokenState::Reauthorize { probably_spent } => Entry {
            reason: Some(reason(has_refresh_token, probably_spent)),
            will_refresh: None,
            ..Entry::expired("reauthorize", expires_at, now)
        },
        TokenState::OfAnotherApp => Entry { status: Some("invalid"), reason: Some(OF_ANOTHER_APP), ..Entry::default() },
    };
    let refreshed_at = grant.tokens.obtained_at.as_secs();
    UserEntry {
        entry,
        has_refresh_token,
        scope: grant.tokens.scope,
        source: grant.source.as_str(),
        refreshed_at: Some(refreshed_at),
        refreshed_at_readable: Some(words::readable(refreshed_at)),
        last_error: last_error.map(AttemptOutcome::as_str),
    }
}

fn reason(has_refresh_token: bool, probably_spent: bool) -> &'static str {
    match (has_refresh_token, probably_spent) {
        (false, _) => "the access token expired and there is no refresh token; re-authenticate at /auth/authorize",
        (true, false) => "Kroger refused the refresh token; re-authenticate at /auth/authorize",
        (true, true) => {
            "the refresh token was probably spent by a refresh whose reply was lost; re-authenticate at /auth/authorize"
        }
    }
}

fn outside_entry(pair: &EnvironmentPair, now: Timestamp) -> UserEntry {
    let expires_at = Timestamp::from_secs(pair.expires_at);
    let has_refresh_token = pair.refresh_token.is_some();
    let entry = match status::outside_left(pair, now) {
        Some(_) => Entry::valid("valid", expires_at, now, if has_refresh_token { AUTOMATICALLY } else { NEVER }),
        None => Entry::expired("expired", expires_at, now),
    };
    UserEntry {
        entry,
        has_refresh_token,
        scope: None,
        source: Source::EnvFile.as_str(),
        refreshed_at: None,
        refreshed_at_readable: None,
        last_error: None,
    }
}

impl Entry {
    fn valid(status: &'static str, expires_at: Timestamp, now: Timestamp, will_refresh: &'static str) -> Self {
        Self {
            expires_in: Some(format!("{} seconds", seconds_left(expires_at, now))),
            will_refresh: Some(will_refresh),
            ..Self::at(status, expires_at)
        }
    }

    fn expired(status: &'static str, expires_at: Timestamp, now: Timestamp) -> Self {
        Self {
            expired_ago: Some(format!("{} seconds ago", seconds_left(now, expires_at))),
            will_refresh: Some(ON_NEXT_USE),
            ..Self::at(status, expires_at)
        }
    }

    fn at(status: &'static str, expires_at: Timestamp) -> Self {
        let expires_at = expires_at.as_secs();
        Self {
            status: Some(status),
            expires_at: Some(expires_at),
            expires_at_readable: Some(words::readable(expires_at)),
            ..Self::default()
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Refreshed<'a> {
    message: &'static str,
    user_id: &'a str,
    expires_at: u64,
    expires_at_readable: String,
    auto_saved: bool,
}

pub(super) async fn refresh(call: Call, body: Bytes) -> Result<Response, Problem> {
    if !body.is_empty() {
        // A body that names a user would refresh the token of another user, so it must have no fields.
        body_json::read::<Nothing>(&body)?;
    }
    let cx = call.context();
    let user = call.user()?;
    let grant = on_demand::refresh(cx, &user)?;
    let expires_at = grant.tokens.expires_at.as_secs();
    Ok(json(&Refreshed {
        message: "Token refreshed successfully",
        user_id: user.as_str(),
        expires_at,
        expires_at_readable: words::readable(expires_at),
        auto_saved: records::is_stored(cx, &user.key(), grant.ticket),
    }))
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Forgotten<'a> {
    message: &'static str,
    user_id: &'a str,
    /// Until when Kroger still accepts the access token, in Unix seconds. It is deleted here, and Kroger cannot end it earlier. Absent if no such token was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token_expires_at: Option<u64>,
}

pub(super) async fn forget(path: Result<Path<String>, PathRejection>, call: Call) -> Result<Response, Problem> {
    let Path(id) = path.map_err(|_| Problem::invalid_argument("user_id", "UTF-8, percent-encoded"))?;
    let user = user("user_id", &id)?;
    let signed_out = sign_out::forget(call.context(), &user)?;
    Ok(json(&Forgotten {
        message: "Tokens of this user forgotten",
        user_id: user.as_str(),
        access_token_expires_at: signed_out.access_token_expires_at.map(Timestamp::as_secs),
    }))
}
