//! Serves the cart and the profile of the token's customer.
//!
//! Reads calls and writes answers. The rules are in `api`.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use serde_json::json;

use crate::{
    answers::json_answer,
    api::{cart::parse_items, profile::profile_id},
    clock::now,
    guards::bearer,
    sandbox::Sandbox,
};

pub(crate) fn routes() -> Router<Sandbox> {
    Router::new().route("/v1/cart/add", put(add_to_cart)).route("/v1/identity/profile", get(profile))
}

/// Adds the items to the cart of the token's customer.
///
/// Checks the token first, so that a stranger learns nothing about what is wrong with the items.
async fn add_to_cart(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    let items = parse_items(&body);
    let mut state = sandbox.lock();
    let user = match state.authorization_server.customer_of(now(), bearer(&headers), "cart.basic:write") {
        Ok(user) => user.to_owned(),
        Err(refusal) => return refusal.into_response(),
    };
    match items {
        Ok(items) => {
            state.carts.add(user, items);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn profile(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    match sandbox.lock().authorization_server.customer_of(now(), bearer(&headers), "profile.compact") {
        Ok(user) => json_answer(StatusCode::OK, &json!({"data": {"id": profile_id(user)}, "meta": {}})),
        Err(refusal) => refusal.into_response(),
    }
}
