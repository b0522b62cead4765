//! `GET /auth/authorize` and `GET /auth/callback`: the two ends of a sign-in. Programs get JSON, people get pages.
//! Neither shows a token.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::call::{Call, json};
use super::invitation;
use super::page;
use super::problem::Problem;
use super::words;
use kroger_core::Context;
use kroger_core::failure::{Cause, Declined, Failure, SignInTrouble};
use kroger_core::grant::outside_pair::Exported;
use kroger_core::scope::Scope;
use kroger_core::secret::Secret;
use kroger_core::sign_in::authorization::{self, AuthorizationRequest};
use kroger_core::sign_in::browser;
use kroger_core::sign_in::exchange::{self, SignedIn};
use kroger_core::sign_in::pending::{self, Subject};

const INSTRUCTIONS: &str = "Give `authorization_url` to the user to open in a browser, sign in at Kroger and agree. \
     Kroger then redirects to `redirect_uri`, which saves the tokens. The link works once, for 10 minutes.";
const NEXT_STEPS: [&str; 2] = [
    "Add to the cart with PUT /cart/add/simple; the token is refreshed by itself.",
    "See where the tokens stand at GET /admin/tokens.",
];

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Authorize {
    authorization_url: String,
    redirect_uri: String,
    scope: String,
    state: String,
    instructions: &'static str,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Callback {
    message: &'static str,
    user_id: String,
    expires_in: u64,
    expires_at_readable: String,
    token_management: TokenManagement,
    next_steps: [&'static str; 2],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = SavedTokens))]
struct TokenManagement {
    auto_refresh: &'static str,
    persistence: String,
    env_file_updated: bool,
    success_rate: Option<String>,
}

/// Starts a sign-in. Redirects a browser to Kroger's page at once.
pub(super) async fn authorize(call: Call) -> Result<Response, Problem> {
    let scope = match call.parameter("scope")? {
        Some(text) => Some(Scope::parse(&text).map_err(|allowed| Problem::invalid_argument("scope", allowed))?),
        None => None,
    };
    let request = authorization::authorize(call.context(), &call.user()?, scope.as_ref())?;
    if call.prefers_page() {
        return Ok(redirect(&request));
    }
    Ok(json(&Authorize {
        authorization_url: request.authorization_url,
        redirect_uri: request.redirect_uri,
        scope: request.scope,
        state: request.state,
        instructions: INSTRUCTIONS,
    }))
}

fn redirect(request: &AuthorizationRequest) -> Response {
    match HeaderValue::from_str(&request.authorization_url) {
        Ok(location) => {
            let no_store = HeaderValue::from_static("no-store");
            (StatusCode::SEE_OTHER, [(LOCATION, location), (CACHE_CONTROL, no_store)]).into_response()
        }
        Err(_) => Problem::malformed().into_response(),
    }
}

/// Takes Kroger's redirect. It needs no `Origin`: only the right browser knows the `state` (RFC 6749 § 10.12).
pub(super) async fn callback(call: Call) -> Response {
    let cx = call.context();
    let mut response = match (complete(&call), call.prefers_page()) {
        (Ok(signed_in), false) => json(&callback_answer(cx, &signed_in)),
        (Ok(signed_in), true) => page::signed_in(signed_in.grant.user_id.as_str(), signed_in.is_stored),
        (Err(problem), false) => problem.into_response(),
        (Err(problem), true) if problem.cause() == Some(&Cause::SignIn(SignInTrouble::Pasted)) => {
            page::pasted(&problem)
        }
        (Err(problem), true) => page::failed(&problem, subject(&call).as_ref()),
    };
    // The address of this page contains the code and the state, so no other site may see it.
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// The user and the scope of the sign-in, if its `state` is known.
fn subject(call: &Call) -> Option<Subject> {
    pending::subject(call.context(), &call.parameter("state").ok()??)
}

fn complete(call: &Call) -> Result<SignedIn, Problem> {
    let bad_request = |problem: Problem| problem.with_status(StatusCode::BAD_REQUEST);
    let parameter = |name| call.parameter(name).map_err(bad_request);
    let missing = |name| bad_request(Problem::invalid_argument(name, "it is missing; start again at /auth/authorize"));

    let state = parameter("state")?.ok_or_else(|| missing("state"))?;
    browser::check_browser(call.context(), &state, invitation::browser(call).as_deref())?;
    if let Some(error) = parameter("error")? {
        exchange::decline(call.context(), &state)?;
        return Err(Failure::sign_in(SignInTrouble::Declined(Declined::parse(&error))).into());
    }
    let code = parameter("code")?.ok_or_else(|| missing("code"))?;
    Ok(exchange::complete(call.context(), &Secret::new(code), &state)?)
}

fn callback_answer(cx: Context<'_>, signed_in: &SignedIn) -> Callback {
    let tokens = &signed_in.grant.tokens;
    let persistence = if signed_in.is_stored {
        format!("enabled to {}", words::store_name(cx.settings))
    } else {
        "in memory only, until the store can be written".to_owned()
    };
    let can_refresh = tokens.refresh_token.is_some();
    Callback {
        message: "Authentication successful - tokens saved automatically",
        user_id: signed_in.grant.user_id.as_str().to_owned(),
        expires_in: words::seconds_left(tokens.expires_at, cx.ports.wall_now()),
        expires_at_readable: words::readable(tokens.expires_at.as_secs()),
        token_management: TokenManagement {
            auto_refresh: if can_refresh { "enabled" } else { "disabled: Kroger gave no refresh token" },
            persistence,
            env_file_updated: signed_in.exported == Exported::Updated,
            success_rate: words::success_rate(cx),
        },
        next_steps: NEXT_STEPS,
    }
}
