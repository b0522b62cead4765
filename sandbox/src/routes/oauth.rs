//! Serves the authorize endpoint with its consent page, and the token endpoint.
//!
//! Reads calls and writes answers. The rules are in `oauth`.

use axum::{
    Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;

use crate::{
    answers::{bad_request, json_answer},
    clock::now,
    guards::{header_text, is_form},
    oauth::{authorize::AuthorizationRequest, refusals::AuthorizationRefusal},
    pages::{consent::consent_page, html::page, refusal::refusal_page},
    parameters::Parameters,
    sandbox::Sandbox,
};

pub(crate) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/v1/connect/oauth2/authorize", get(ask).post(decide))
        .route("/v1/connect/oauth2/token", post(token))
}

/// Shows the consent page, or redirects at once if the query already holds the decision.
async fn ask(State(sandbox): State<Sandbox>, query: RawQuery, headers: HeaderMap) -> Response {
    let parameters = Parameters::of_query(&query);
    let request = sandbox.lock().authorization_server.authorization_request(&parameters);
    let request = match request {
        Ok(request) => request,
        Err(refusal) => return refused(&sandbox, refusal, &headers),
    };
    match parameters.value("sandbox_decision") {
        None => page(StatusCode::OK, consent_page(&request)),
        decision => conclude(&sandbox, &request, decision, parameters.value("sandbox_user")),
    }
}

/// Receives the form of the consent page: the query holds the request, the body the decision.
async fn decide(State(sandbox): State<Sandbox>, query: RawQuery, headers: HeaderMap, body: Bytes) -> Response {
    let request = sandbox.lock().authorization_server.authorization_request(&Parameters::of_query(&query));
    let request = match request {
        Ok(request) => request,
        Err(refusal) => return refused(&sandbox, refusal, &headers),
    };
    let form = Parameters::parse(&body);
    let typed = form.value("name").map(str::trim).filter(|name| !name.is_empty());
    let user = typed.or(form.value("customer"));
    conclude(&sandbox, &request, form.value("decision"), user)
}

/// Answers a person with a page, and a program with Kroger's JSON.
fn refused(sandbox: &Sandbox, refusal: AuthorizationRefusal, headers: &HeaderMap) -> Response {
    let accepts = header_text(headers, &header::ACCEPT).unwrap_or_default();
    if !accepts.contains("text/html") {
        return refusal.into_response();
    }
    let html = refusal_page(refusal, &sandbox.lock().authorization_server.apps);
    page(StatusCode::BAD_REQUEST, html)
}

fn conclude(sandbox: &Sandbox, request: &AuthorizationRequest, decision: Option<&str>, user: Option<&str>) -> Response {
    match (decision, user) {
        (Some("deny"), _) => found(&request.denied()),
        (Some("allow"), Some(user)) if is_name(user) => {
            found(&sandbox.lock().authorization_server.allow(now(), request, user))
        }
        (Some("allow"), _) => bad_request("a customer's name has 1 to 64 characters and no control characters"),
        _ => bad_request("the decision must be allow or deny"),
    }
}

fn is_name(user: &str) -> bool {
    (1..=64).contains(&user.chars().count()) && !user.chars().any(char::is_control)
}

/// Answers 302, as Kroger does, even to the form's POST: browsers follow it with GET.
fn found(location: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, location), (header::CACHE_CONTROL, "no-store")]).into_response()
}

async fn token(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    let authorization = header_text(&headers, &header::AUTHORIZATION);
    // A body that is not a form is ignored, so its grant type is missing.
    let form = if is_form(&headers) { Parameters::parse(&body) } else { Parameters::default() };
    let answer = sandbox.lock().authorization_server.answer_token_request(now(), authorization, &form);
    match answer {
        Ok(response) => {
            let no_store = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
            (no_store, json_answer(StatusCode::OK, &json!(response))).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}
