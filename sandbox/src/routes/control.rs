//! Serves `/_sandbox/`, where tests and scripts see what happened and change how the sandbox
//! behaves.
//!
//! Pages of other sites are refused.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    middleware::{Next, from_fn},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    answers::bad_request,
    clock::now,
    guards::is_form,
    oauth::authorization_server::AuthorizationServer,
    parameters::Parameters,
    sandbox::Sandbox,
    settings::{SandboxSettings, SettingsChange},
};

pub(crate) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/state", get(state))
        .route("/settings", get(settings).post(change_settings))
        .route("/faults", get(faults).post(add_faults).delete(clear_faults))
        .route("/expire", post(expire))
        .route("/revoke", post(revoke))
        .fallback(async || (StatusCode::NOT_FOUND, "see / for what is here\n"))
        .layer(from_fn(refuse_other_sites))
}

/// Refuses calls from a page of another site that a developer happens to visit.
///
/// `Origin` cannot tell such a page from our own front page, whose forms send `null`.
async fn refuse_other_sites(request: Request, next: Next) -> Response {
    if request.headers().get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return (StatusCode::FORBIDDEN, "pages of other sites may not call this\n").into_response();
    }
    next.run(request).await
}

async fn state(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(sandbox.lock().report())
}

async fn settings(State(sandbox): State<Sandbox>) -> Json<SandboxSettings> {
    Json(sandbox.lock().settings())
}

async fn change_settings(State(sandbox): State<Sandbox>, body: Bytes) -> Response {
    let change: SettingsChange = match serde_json::from_slice(&body) {
        Ok(change) => change,
        Err(error) => return bad_request(&error.to_string()),
    };
    match sandbox.lock().change_settings(&change) {
        Ok(settings) => Json(settings).into_response(),
        Err(error) => bad_request(&error),
    }
}

async fn faults(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(sandbox.lock().faults.listing())
}

async fn add_faults(State(sandbox): State<Sandbox>, body: Bytes) -> Response {
    let mut state = sandbox.lock();
    match state.faults.add(&body) {
        Ok(()) => Json(state.faults.listing()).into_response(),
        Err(error) => bad_request(&error),
    }
}

async fn clear_faults(State(sandbox): State<Sandbox>) -> Json<Value> {
    let mut state = sandbox.lock();
    state.faults.clear();
    Json(state.faults.listing())
}

async fn expire(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    let expire =
        |server: &mut AuthorizationServer, user: &str| json!({"access_tokens_expired": server.expire(now(), user)});
    for_user(&sandbox, &headers, &body, expire)
}

async fn revoke(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    let revoke = |server: &mut AuthorizationServer, user: &str| json!({"sign_ins_revoked": server.revoke(user)});
    for_user(&sandbox, &headers, &body, revoke)
}

/// Applies `change` to the user that the body names.
///
/// A program sends JSON. The buttons of the front page send a form, and then see that page again.
fn for_user(
    sandbox: &Sandbox,
    headers: &HeaderMap,
    body: &[u8],
    change: impl Fn(&mut AuthorizationServer, &str) -> Value,
) -> Response {
    // curl declares every body as a form, so a body that does not parse as a form may be JSON.
    let clicked = is_form(headers).then(|| user_of_form(body)).flatten();
    let Some(user) = clicked.clone().or_else(|| user_of_json(body)) else {
        return bad_request("the body must name a customer: {\"user\": \"alice\"}");
    };
    let done = change(&mut sandbox.lock().authorization_server, &user);
    if clicked.is_some() { Redirect::to("/").into_response() } else { Json(done).into_response() }
}

fn user_of_form(body: &[u8]) -> Option<String> {
    Parameters::parse(body).value("user").map(String::from)
}

fn user_of_json(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Named {
        user: String,
    }
    serde_json::from_slice::<Named>(body).ok().map(|named| named.user)
}
