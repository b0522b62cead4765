//! `GET /admin/tokens/validate` and `GET /admin/tokens/status`: the health of the tokens, in full and in short.
//! Neither answers an error for a problem that it finds: the answer lists it. Neither refreshes a token.

use std::collections::BTreeMap;

use axum::response::Response;
use serde::Serialize;

use super::admin::{self, AskedPage, ClientCredentials, UserEntry};
use super::call::{Call, json};
use super::problem::Problem;
use super::told::WAYS;
use super::words::store_name;
use crate::fields::values::Flag;
use crate::words;
use kroger_core::grant::status::Held;
use kroger_core::service::maintenance;
use kroger_core::service::validation::{self, Check, Reach};
use kroger_core::store::health::{self, Persistence};
use kroger_core::store::rescue;

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct ValidationPage {
    healthy: bool,
    issues: Vec<String>,
    tokens: ValidatedTokens,
    server: Validated,
    /// Present if there are more users. The next page begins there.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct ValidatedTokens {
    client_credentials: Validated,
    users: BTreeMap<String, Validated>,
}

/// A subject and its checks. `valid` if every check passes.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct Validated {
    valid: bool,
    checks: Vec<Checked>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct Checked {
    name: &'static str,
    ok: bool,
    detail: String,
}

impl From<Vec<Check>> for Validated {
    fn from(checks: Vec<Check>) -> Self {
        let valid = validation::are_good(&checks);
        let told =
            |Check { name, ok, finding }| Checked { name: name.as_str(), ok, detail: words::finding(&finding, &WAYS) };
        let checks = checks.into_iter().map(told).collect();
        Self { valid, checks }
    }
}

pub(super) async fn validate(call: Call) -> Result<Response, Problem> {
    let online: Option<Flag> = call.read("online")?;
    let reach = if online == Some(Flag(true)) { Reach::Online } else { Reach::Offline };
    let (users, next_cursor) = users(&call)?;
    let found = validation::validate_users(call.context(), reach, &users);
    let issues = words::issues(&found, &WAYS);
    let users = found.users.into_iter().map(|(user, checks)| (user.as_str().to_owned(), checks.into()));
    Ok(json(&ValidationPage {
        healthy: issues.is_empty(),
        issues,
        tokens: ValidatedTokens { client_credentials: found.client.into(), users: users.collect() },
        server: found.server.into(),
        next_cursor,
    }))
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct StatusPage<'a> {
    healthy: bool,
    issues: Vec<String>,
    tokens: TokensNow,
    background_refresh: BackgroundRefresh,
    persistence: StoreNow<'a>,
    /// Present if there are more users. The next page begins there.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct TokensNow {
    /// Null, and `users` empty, if the store cannot be read.
    client_credentials: Option<ClientCredentials>,
    users: BTreeMap<String, UserEntry>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct BackgroundRefresh {
    /// Whether the last periodic refresh is younger than two intervals.
    running: bool,
    last_tick_seconds_ago: Option<u64>,
    check_interval_seconds: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct StoreNow<'a> {
    enabled: bool,
    store: &'a str,
    readable: bool,
    writable: bool,
    /// The number of refreshed tokens that are not saved yet.
    waiting_to_be_saved: usize,
}

/// The page of users that the call asks for, and where the next one begins. Empty if the store cannot be read; the
/// server's checks report that.
fn users(call: &Call) -> Result<(Vec<Held>, Option<String>), Problem> {
    let page = AskedPage::of(call)?.read(call.context()).ok();
    Ok(page.map_or_else(Default::default, |page| {
        let next = admin::next_cursor(&page);
        (page.users, next)
    }))
}

pub(super) async fn status(call: Call) -> Result<Response, Problem> {
    let cx = call.context();
    let (users, next_cursor) = users(&call)?;
    let issues = words::issues(&validation::validate_users(cx, Reach::Offline, &users), &WAYS);
    let persistence = health::persistence(cx);
    Ok(json(&StatusPage {
        healthy: issues.is_empty(),
        issues,
        tokens: TokensNow {
            client_credentials: admin::client_credentials(cx).ok(),
            users: admin::user_tokens(cx, users),
        },
        background_refresh: BackgroundRefresh {
            running: maintenance::is_running(cx).unwrap_or(false),
            last_tick_seconds_ago: validation::last_tick_age(cx).map(|age| age.as_secs()),
            check_interval_seconds: cx.settings.check_interval.as_secs(),
        },
        persistence: StoreNow {
            enabled: persistence == Persistence::Kept,
            store: store_name(cx.settings),
            readable: health::is_readable(cx),
            writable: persistence != Persistence::Failed,
            waiting_to_be_saved: rescue::waiting(cx).map_or(0, |keys| keys.len()),
        },
        next_cursor,
    }))
}
