//! `GET /openapi.json`: describes this server to programs and agents. Never builds the document itself.
//!
//! The tests generate the document from the types of the answers and from the operations in
//! `tests/openapi/operations.rs`. A test compares the file with them.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;

pub(super) const DOCUMENT: &str = include_str!("../../openapi.json");

pub(super) async fn describe() -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], DOCUMENT).into_response()
}
