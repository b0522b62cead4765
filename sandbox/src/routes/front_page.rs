//! Serves the front page. Changes nothing.

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
    routing::get,
};

use crate::{
    clock::now,
    guards::header_text,
    pages::{front::front_page, html::page},
    sandbox::Sandbox,
};

pub(crate) fn routes() -> Router<Sandbox> {
    Router::new().route("/", get(front))
}

async fn front(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    let host = header_text(&headers, &header::HOST).unwrap_or("127.0.0.1");
    let html = front_page(&sandbox.lock(), now(), host);
    page(StatusCode::OK, html)
}
