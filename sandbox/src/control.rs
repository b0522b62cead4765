//! `/_sandbox/`: for tests and scripts, to see what happened and to change how the sandbox behaves.

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
    oauth::authorization_server::Kroger,
    parameters::Parameters,
    router::is_form,
    sandbox::{Sandbox, now},
    settings::{Settings, SettingsChange},
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

/// A page that a developer happens to visit has no business here. `Origin` would not tell it from
/// our own front page, whose forms send `null`.
async fn refuse_other_sites(request: Request, next: Next) -> Response {
    if request.headers().get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return (StatusCode::FORBIDDEN, "pages of other sites may not call this\n").into_response();
    }
    next.run(request).await
}

pub(crate) fn bad_request(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response()
}

async fn state(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(sandbox.state())
}

async fn settings(State(sandbox): State<Sandbox>) -> Json<Settings> {
    Json(sandbox.world().kroger.settings.clone())
}

async fn change_settings(State(sandbox): State<Sandbox>, body: Bytes) -> Response {
    let change: SettingsChange = match serde_json::from_slice(&body) {
        Ok(change) => change,
        Err(error) => return bad_request(&error.to_string()),
    };
    let mut world = sandbox.world();
    match world.kroger.settings.changed(&change) {
        Ok(settings) => {
            world.kroger.settings = settings.clone();
            Json(settings).into_response()
        }
        Err(error) => bad_request(&error),
    }
}

async fn faults(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(sandbox.world().faults.listing())
}

async fn add_faults(State(sandbox): State<Sandbox>, body: Bytes) -> Response {
    let mut world = sandbox.world();
    match world.faults.add(&body) {
        Ok(()) => Json(world.faults.listing()).into_response(),
        Err(error) => bad_request(&error),
    }
}

async fn clear_faults(State(sandbox): State<Sandbox>) -> Json<Value> {
    let mut world = sandbox.world();
    world.faults.clear();
    Json(world.faults.listing())
}

async fn expire(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    let expire = |kroger: &mut Kroger, user: &str| json!({"access_tokens_expired": kroger.expire(now(), user)});
    for_user(&sandbox, &headers, &body, expire)
}

async fn revoke(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    let revoke = |kroger: &mut Kroger, user: &str| json!({"sign_ins_revoked": kroger.revoke(user)});
    for_user(&sandbox, &headers, &body, revoke)
}

/// Does `deed` for the user that the body names: as JSON for a program, as a form for the
/// buttons of the front page, which is shown again.
fn for_user(
    sandbox: &Sandbox,
    headers: &HeaderMap,
    body: &[u8],
    deed: impl Fn(&mut Kroger, &str) -> Value,
) -> Response {
    // curl calls everything a form, so a form that is none may still be JSON.
    let clicked = is_form(headers).then(|| user_of_form(body)).flatten();
    let Some(user) = clicked.clone().or_else(|| user_of_json(body)) else {
        return bad_request("the body must name a customer: {\"user\": \"alice\"}");
    };
    let done = deed(&mut sandbox.world().kroger, &user);
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
