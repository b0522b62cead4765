//! The paths that imitate Kroger: each reads its call, lets the core decide, writes the answer.

use axum::{
    Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{Html, IntoResponse, Response},
    routing::{get, post, put},
};
use serde_json::json;

use crate::{
    answers::json_answer,
    api::cart::parse_items,
    api::catalog,
    control,
    layers::disturb::disturb,
    oauth::authorization_server::AddRefusal,
    oauth::authorize::{AuthorizationRefusal, AuthorizationRequest},
    pages,
    parameters::Parameters,
    quotas::limit,
    sandbox::{Sandbox, now},
};

/// The customers that the consent page offers by name.
pub(crate) const CUSTOMERS: [&str; 3] = ["alice", "bob", "carol"];

impl Sandbox {
    /// All routes. Under a server of your own everything works except the drops, which only
    /// [`serve`](crate::serve) can do cleanly; elsewhere the connection breaks after the head.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/v1/connect/oauth2/authorize", get(ask).post(decide))
            .route("/v1/connect/oauth2/token", post(token))
            .route("/v1/cart/add", put(add_to_cart))
            .route("/v1/identity/profile", get(profile))
            .merge(catalog::routes())
            .fallback(async || StatusCode::NOT_FOUND)
            .layer(middleware::from_fn_with_state(self.clone(), limit))
            .layer(middleware::from_fn_with_state(self.clone(), disturb))
            // What follows is the sandbox's own: it meets no faults and is not counted.
            .route("/", get(front_page))
            .nest("/_sandbox", control::routes())
            .with_state(self.clone())
    }
}

async fn ask(State(sandbox): State<Sandbox>, query: RawQuery, headers: HeaderMap) -> Response {
    let parameters = query_parameters(&query);
    let request = sandbox.world().kroger.authorization_request(&parameters);
    let request = match request {
        Ok(request) => request,
        Err(refusal) => return refused(&sandbox, refusal, &headers),
    };
    match parameters.value("sandbox_decision") {
        None => page(StatusCode::OK, pages::consent(&request)),
        decision => conclude(&sandbox, &request, decision, parameters.value("sandbox_user")),
    }
}

/// The consent page's form: the request is in the query as before, the decision in the body.
async fn decide(State(sandbox): State<Sandbox>, query: RawQuery, headers: HeaderMap, body: Bytes) -> Response {
    let request = sandbox.world().kroger.authorization_request(&query_parameters(&query));
    let request = match request {
        Ok(request) => request,
        Err(refusal) => return refused(&sandbox, refusal, &headers),
    };
    let form = Parameters::parse(&body);
    let typed = form.value("name").map(str::trim).filter(|name| !name.is_empty());
    let user = typed.or(form.value("customer"));
    conclude(&sandbox, &request, form.value("decision"), user)
}

pub(crate) fn query_parameters(RawQuery(query): &RawQuery) -> Parameters {
    Parameters::parse(query.as_deref().unwrap_or_default().as_bytes())
}

/// A person gets a page, a program Kroger's JSON.
fn refused(sandbox: &Sandbox, refusal: AuthorizationRefusal, headers: &HeaderMap) -> Response {
    let accepts = header_text(headers, &header::ACCEPT).unwrap_or_default();
    if !accepts.contains("text/html") {
        return refusal.into_response();
    }
    page(StatusCode::BAD_REQUEST, pages::refusal(refusal, &sandbox.world().kroger.apps))
}

fn conclude(sandbox: &Sandbox, request: &AuthorizationRequest, decision: Option<&str>, user: Option<&str>) -> Response {
    match (decision, user) {
        (Some("deny"), _) => found(&request.denied()),
        (Some("allow"), Some(user)) if is_name(user) => found(&sandbox.world().kroger.allow(now(), request, user)),
        (Some("allow"), _) => {
            let error = "a customer's name has 1 to 64 characters and no control characters";
            control::bad_request(error)
        }
        _ => control::bad_request("the decision must be allow or deny"),
    }
}

fn is_name(user: &str) -> bool {
    (1..=64).contains(&user.chars().count()) && !user.chars().any(char::is_control)
}

/// 302 as Kroger answers, also after the form's POST: browsers go on with GET.
fn found(location: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, location), (header::CACHE_CONTROL, "no-store")]).into_response()
}

async fn token(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    let authorization = header_text(&headers, &header::AUTHORIZATION);
    // What is not a form is not read, so that its grant type is missing.
    let form = if is_form(&headers) { Parameters::parse(&body) } else { Parameters::default() };
    let answer = sandbox.world().kroger.token(now(), authorization, &form);
    match answer {
        Ok(response) => {
            let no_store = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
            (no_store, json_answer(StatusCode::OK, &json!(response))).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn add_to_cart(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    let items = parse_items(&body);
    let added = sandbox.world().kroger.add_to_cart(now(), bearer(&headers), items);
    match added {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(AddRefusal::Bearer(refusal)) => refusal.into_response(),
        Err(AddRefusal::Items(refusal)) => refusal.into_response(),
    }
}

async fn profile(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    match sandbox.world().kroger.profile_id(now(), bearer(&headers)) {
        Ok(id) => json_answer(StatusCode::OK, &json!({"data": {"id": id}, "meta": {}})),
        Err(refusal) => refusal.into_response(),
    }
}

async fn front_page(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    let host = header_text(&headers, &header::HOST).unwrap_or("127.0.0.1");
    let page_text = pages::front(&sandbox.world(), now(), host);
    page(StatusCode::OK, page_text)
}

pub(crate) fn page(status: StatusCode, html: String) -> Response {
    // No form-action: browsers apply it to the redirect after the form, which leaves this host.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                  base-uri 'none'; frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, Html(html)).into_response()
}

pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = header_text(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let media_type = header_text(headers, &header::CONTENT_TYPE).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn header_text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
