//! Answers the refusals of the catalog's paths in Kroger's words. Never decides to refuse.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::answers::{gateway_refusal, json_answer, nested_error};

/// Why a catalog call is answered without data.
#[derive(Debug)]
pub(crate) enum CatalogRefusal {
    /// 400, with this code and this reason under `errors`.
    Nested(&'static str, &'static str),
    /// 400 without `errors`, as Kroger's gateway refuses.
    Bare(&'static str),
    /// 404 without a body.
    Unknown,
}

impl IntoResponse for CatalogRefusal {
    fn into_response(self) -> Response {
        match self {
            Self::Unknown => StatusCode::NOT_FOUND.into_response(),
            Self::Nested(code, reason) => json_answer(StatusCode::BAD_REQUEST, &nested_error(code, reason)),
            Self::Bare(reason) => gateway_refusal(reason),
        }
    }
}
