//! Builds JSON answers and Kroger's families of error bodies.
//!
//! Decides nothing: the caller chooses the status and the words.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};

use crate::clock::timestamp;

pub(crate) fn json_answer(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Builds the flat error body of OAuth (RFC 6749 §5.2).
pub(crate) fn oauth_error(error: &str, description: &str) -> Value {
    json!({"error": error, "error_description": description})
}

/// Builds the error body of Kroger's API, without an `errors` field around it.
pub(crate) fn bare_error(code: &str, reason: &str) -> Value {
    json!({"timestamp": timestamp(), "code": code, "reason": reason})
}

/// Builds the error body of Kroger's API with an `errors` field around it.
pub(crate) fn nested_error(code: &str, reason: &str) -> Value {
    json!({"errors": bare_error(code, reason)})
}

/// Answers 400 with the bare error body of Kroger's gateway.
pub(crate) fn gateway_refusal(reason: &str) -> Response {
    json_answer(StatusCode::BAD_REQUEST, &bare_error("API-4101-400", reason))
}

/// Answers 400 to wrong input for the sandbox itself, with what is wrong.
pub(crate) fn bad_request(error: &str) -> Response {
    json_answer(StatusCode::BAD_REQUEST, &json!({"error": error}))
}
