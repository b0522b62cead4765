//! `GET /auth/authorize` and `GET /auth/callback`: the two ends of a sign-in. Programs get JSON, people get pages.
//! Neither shows a token.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use url::form_urlencoded;

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
use kroger_core::sign_in::authorization;
use kroger_core::sign_in::browser::{self, Standing};
use kroger_core::sign_in::exchange::{self, SignedIn};
use kroger_core::sign_in::pending::{self, Subject};
use kroger_core::user::UserId;

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

/// Starts a sign-in. Redirects a browser to Kroger's page at once if there is nothing to tell the person; else asks
/// first. A page of another site, or a link that somebody passed on, may have sent the person here.
pub(super) async fn authorize(call: Call) -> Result<Response, Problem> {
    let scope = match call.parameter("scope")? {
        Some(text) => Some(Scope::parse(&text).map_err(|allowed| Problem::invalid_argument("scope", allowed))?),
        None => None,
    };
    let (cx, user) = (call.context(), call.user()?);
    if call.prefers_page() {
        let scope = scope.as_ref().unwrap_or(&cx.settings.scope);
        let is_usual = browser::is_usual(cx, &user, scope.as_str()) && !call.is_sent_by_another_site();
        return if is_usual { redirected(&call, &user, scope) } else { asked(&call, &user, scope) };
    }
    let request = authorization::authorize(cx, &user, scope.as_ref())?;
    Ok(json(&Authorize {
        authorization_url: request.authorization_url,
        redirect_uri: request.redirect_uri,
        scope: request.scope,
        state: request.state,
        instructions: INSTRUCTIONS,
    }))
}

/// Sends the browser on to Kroger. Only this browser may come back, if it calls this server by the name to which it
/// comes back.
fn redirected(call: &Call, user: &UserId, scope: &Scope) -> Result<Response, Problem> {
    if !call.is_at_redirect_host() {
        let request = authorization::authorize(call.context(), user, Some(scope))?;
        return redirect(&request.authorization_url);
    }
    let begun = authorization::authorize_browser(call.context(), user, scope)?;
    let mut response = redirect(&begun.authorization_url)?;
    response.headers_mut().insert(SET_COOKIE, invitation::cookie(call, &begun)?);
    Ok(response)
}

fn redirect(url: &str) -> Result<Response, Problem> {
    let location = HeaderValue::from_str(url).map_err(|_| Problem::malformed())?;
    let no_store = HeaderValue::from_static("no-store");
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location), (CACHE_CONTROL, no_store)]).into_response())
}

/// Asks the person whether to sign in for this user.
fn asked(call: &Call, user: &UserId, scope: &Scope) -> Result<Response, Problem> {
    let invited = kroger_core::sign_in::invitation::invite_alone(call.context(), user, scope)?;
    let page = page::ask_before(user.as_str(), scope.as_str(), &format!("start/{}", invited.id));
    Ok(invitation::told(page, "same-origin"))
}

/// Takes Kroger's redirect. It needs no `Origin`: only the right browser knows the `state` (RFC 6749 § 10.12).
pub(super) async fn callback(call: Call) -> Response {
    match checked(&call) {
        Ok(Standing::Unbound { user_id, scope, is_usual: false }) if call.opens_page() => {
            let page = page::ask_after(user_id.as_str(), &scope, &finish_path(&call));
            // Under `no-referrer` the browser would send the form with `Origin: null`.
            invitation::told(page, "same-origin")
        }
        checked => answered(&call, checked),
    }
}

/// Completes a sign-in after the person has read for whom it is.
pub(super) async fn finish(call: Call) -> Response {
    let checked = checked(&call);
    answered(&call, checked)
}

/// Where the form of the page goes, with what Kroger's redirect brought.
fn finish_path(call: &Call) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for name in ["code", "state", "iss"] {
        if let Ok(Some(value)) = call.parameter(name) {
            query.append_pair(name, &value);
        }
    }
    format!("finish?{}", query.finish())
}

fn answered(call: &Call, checked: Result<Standing, Problem>) -> Response {
    let cx = call.context();
    let completed = checked.and_then(|_| complete(call));
    let mut response = match (completed, call.prefers_page()) {
        (Ok(signed_in), false) => json(&callback_answer(cx, &signed_in)),
        (Ok(signed_in), true) => page::signed_in(signed_in.grant.user_id.as_str(), signed_in.is_stored),
        (Err(problem), false) => problem.into_response(),
        (Err(problem), true) if problem.cause() == Some(&Cause::SignIn(SignInTrouble::Pasted)) => {
            page::pasted(&problem, subject(call).as_ref())
        }
        (Err(problem), true) => page::failed(&problem, subject(call).as_ref()),
    };
    // The address of this page contains the code and the state, so no other site may see it.
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// The user and the scope of the sign-in, if its `state` is known.
fn subject(call: &Call) -> Option<Subject> {
    pending::subject(call.context(), &call.parameter("state").ok()??)
}

/// Checks who sent the browser back, and which browser it is. Ends no sign-in. Asks nobody if Kroger sent an error.
fn checked(call: &Call) -> Result<Standing, Problem> {
    let state = parameter(call, "state")?.ok_or_else(|| missing("state"))?;
    browser::check_issuer(call.context(), parameter(call, "iss")?.as_deref())?;
    let standing = browser::check_browser(call.context(), &state, invitation::browser(call).as_deref())?;
    let is_complete = parameter(call, "error")?.is_none() && parameter(call, "code")?.is_some();
    Ok(if is_complete { standing } else { Standing::Bound })
}

fn parameter<'a>(call: &'a Call, name: &str) -> Result<Option<Cow<'a, str>>, Problem> {
    call.parameter(name).map_err(bad_request)
}

fn bad_request(problem: Problem) -> Problem {
    problem.with_status(StatusCode::BAD_REQUEST)
}

fn missing(name: &str) -> Problem {
    bad_request(Problem::invalid_argument(name, "it is missing; start again at /auth/authorize"))
}

fn complete(call: &Call) -> Result<SignedIn, Problem> {
    let state = parameter(call, "state")?.ok_or_else(|| missing("state"))?;
    if let Some(error) = parameter(call, "error")? {
        exchange::decline(call.context(), &state)?;
        return Err(Failure::sign_in(SignInTrouble::Declined(Declined::parse(&error))).into());
    }
    let code = parameter(call, "code")?.ok_or_else(|| missing("code"))?;
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
