//! `GET /livez`, `/readyz`, `/health` and `/config`: the state of the server. They write one mark into the store to
//! test whether it keeps data. They never adopt tokens from outside, and never refresh a token.

use axum::response::Response;
use serde::Serialize;

use super::call::{Call, json};
use super::problem::Problem;
use super::words;
use crate::words::OF_ANOTHER_APP;
use kroger_core::Context;
use kroger_core::grant::outside_pair;
use kroger_core::grant::status::{self, Known, TokenState};
use kroger_core::service::maintenance;
use kroger_core::store::health::{self, Persistence};
use kroger_core::store::rescue;
use kroger_core::upstream::app_token::{self, AppTokenState, StoredAppToken};

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Status {
    status: &'static str,
}

pub(super) async fn livez() -> Response {
    json(&Status { status: "alive" })
}

pub(super) async fn readyz(call: Call) -> Result<Response, Problem> {
    health::readiness(call.context())?;
    Ok(json(&Status { status: "ready" }))
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Health {
    status: &'static str,
    service: &'static str,
    version: &'static str,
    timestamp: String,
    token_status: TokenStatus,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<&'static str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[expect(clippy::struct_excessive_bools, reason = "the keys of the contract")]
struct TokenStatus {
    client_token_valid: bool,
    user_token_valid: bool,
    auto_refresh_enabled: bool,
    persistence_enabled: bool,
}

pub(super) async fn health(call: Call) -> Result<Response, Problem> {
    let cx = call.context();
    let found = HealthFacts::look(cx, &call)?;
    let reasons = found.reasons(cx);
    let now = cx.ports.wall_now();
    Ok(json(&Health {
        status: if reasons.is_empty() { "healthy" } else { "degraded" },
        service: "kroger-mcp",
        version: env!("CARGO_PKG_VERSION"),
        timestamp: words::readable(now.as_secs()),
        token_status: TokenStatus {
            client_token_valid: found.client_token.as_ref().is_some_and(|stored| stored.is_valid(now)),
            user_token_valid: found.user_token.as_ref().is_some_and(|token| token.is_valid(now)),
            auto_refresh_enabled: found.is_timer_running,
            persistence_enabled: found.persistence == Persistence::Kept,
        },
        reasons,
    }))
}

/// The facts by which `/health` judges.
struct HealthFacts {
    persistence: Persistence,
    is_timer_running: bool,
    client_token: Option<StoredAppToken>,
    user_token: Option<Known>,
}

impl HealthFacts {
    /// Collects the facts. A fact that a failing store cannot give counts as absent.
    fn look(cx: Context<'_>, call: &Call) -> Result<Self, Problem> {
        Ok(Self {
            persistence: health::persistence(cx),
            is_timer_running: maintenance::is_running(cx).unwrap_or(false),
            client_token: app_token::stored(cx).ok().flatten(),
            user_token: status::known(cx, &call.user()?).ok(),
        })
    }

    fn reasons(&self, cx: Context<'_>) -> Vec<&'static str> {
        let client_state = self.client_token.as_ref().map(|stored| &stored.state);
        let user_status = self.user_token.as_ref().and_then(|token| token.status.as_ref());
        let user_is_dead = user_status.is_some_and(|status| matches!(status.state, TokenState::Reauthorize { .. }));
        let is_anothers = user_status.is_some_and(|status| status.state == TokenState::OfAnotherApp);
        let last_failed = user_status.is_some_and(|status| status.last_error.is_some());
        let is_rescue_waiting = rescue::waiting(cx).is_ok_and(|rescued| !rescued.is_empty());
        let judged = [
            (self.persistence == Persistence::Failed, "the token store cannot be read or written"),
            (self.persistence == Persistence::Forgets, "the token store forgets what it was told"),
            (is_rescue_waiting, "refreshed tokens wait in memory for the store to recover"),
            (!self.is_timer_running, "no periodic refresh has run lately; tokens are refreshed on use only"),
            (cx.settings.client.is_none(), "KROGER_CLIENT_ID is not set"),
            (
                matches!(client_state, Some(AppTokenState::CredentialsRejected)),
                "Kroger rejected KROGER_CLIENT_ID and KROGER_CLIENT_SECRET",
            ),
            (
                matches!(client_state, Some(AppTokenState::Unavailable)),
                "Kroger did not give the app an access token at the last try",
            ),
            (user_is_dead, "the user must re-authenticate at /auth/authorize"),
            (is_anothers, OF_ANOTHER_APP),
            (
                last_failed && !user_is_dead && !is_anothers,
                "the last refresh of the user's token failed; it is tried again",
            ),
        ];
        judged.into_iter().filter(|(is_so, _)| *is_so).map(|(_, reason)| reason).collect()
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Config<'a> {
    token_management: TokenManagement,
    default_location: DefaultLocation<'a>,
    default_fulfillment: DefaultFulfillment,
    features: Features,
    llm_instructions: LlmInstructions,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct TokenManagement {
    client_token: String,
    user_token: String,
    auto_refresh: &'static str,
    persistence: String,
    success_rate: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct DefaultLocation<'a> {
    zip_code: Option<&'a str>,
    store_id: Option<&'a str>,
    radius_miles: u32,
}

/// The default way to get an item. The last two fields have no meaning now, but callers may look for them.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct DefaultFulfillment {
    #[serde(rename = "type")]
    kind: &'static str,
    delivery_type: Option<&'static str>,
    force_kroger_delivery: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[expect(clippy::struct_excessive_bools, reason = "the keys of the contract")]
struct Features {
    automatic_token_refresh: bool,
    persistent_storage: bool,
    retry_with_backoff: bool,
    env_file_updates: bool,
    background_refresh_task: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct LlmInstructions {
    cart_operations: &'static str,
    authentication: &'static str,
    token_storage: &'static str,
    error_recovery: &'static str,
}

const LLM_INSTRUCTIONS: LlmInstructions = LlmInstructions {
    cart_operations: "PUT /cart/add/simple with {\"upc\", \"quantity\", \"modality\"} adds one item, PUT /cart/add with \
        {\"items\": [...]} adds up to 100. Tokens are refreshed by themselves before each call. Adding is additive: the \
        same call twice adds twice, and a cart can be neither read nor emptied from here.",
    authentication: "If a call answers `reauthorize`, give the user its `authorization_url`, or the one of \
        GET /auth/authorize, to open in a browser; when the user has agreed, repeat the call.",
    token_storage: "Tokens are saved by themselves and outlive a restart. Never ask the user for a token; \
        GET /admin/tokens shows where they stand without showing them.",
    error_recovery: "Each error says in `code` what happened and in `action` what to do. Where `retryable` is true, \
        wait `retry_after` seconds and repeat the call. After `outcome_unknown` never repeat: the user looks at the \
        cart in the Kroger app first.",
};

pub(super) async fn config(call: Call) -> Result<Response, Problem> {
    let cx = call.context();
    let persistence = health::persistence(cx);
    let is_timer_running = maintenance::is_running(cx).unwrap_or(false);
    let location = &cx.settings.default_location;
    Ok(json(&Config {
        token_management: token_management(&call, persistence, is_timer_running)?,
        default_location: DefaultLocation {
            zip_code: location.zip_code.as_deref(),
            store_id: location.location_id.as_deref(),
            radius_miles: location.radius_miles,
        },
        default_fulfillment: DefaultFulfillment {
            kind: cx.settings.default_modality.as_str(),
            delivery_type: None,
            force_kroger_delivery: false,
        },
        features: Features {
            automatic_token_refresh: true,
            persistent_storage: persistence == Persistence::Kept,
            retry_with_backoff: true,
            env_file_updates: outside_pair::has_env_file(cx),
            background_refresh_task: is_timer_running,
        },
        llm_instructions: LLM_INSTRUCTIONS,
    }))
}

fn token_management(call: &Call, persistence: Persistence, is_timer_running: bool) -> Result<TokenManagement, Problem> {
    const UNKNOWN: &str = "unknown: the store cannot be read";

    let cx = call.context();
    let now = cx.ports.wall_now();
    let user_token = status::known(cx, &call.user()?).map(|known| words::user_token(&known, now));
    Ok(TokenManagement {
        client_token: words::client_token(cx).unwrap_or_else(|_| UNKNOWN.to_owned()),
        user_token: user_token.unwrap_or_else(|_| UNKNOWN.to_owned()),
        auto_refresh: if is_timer_running { "enabled" } else { "on use only: no periodic refresh has run lately" },
        persistence: words::persistence(persistence, cx.settings),
        success_rate: words::success_rate(cx),
    })
}
