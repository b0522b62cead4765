//! Kroger's families of error bodies.

use std::time::UNIX_EPOCH;

use axum::{
    body::Body,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    api::cart::ItemsRefusal, oauth::authorization_server::BearerRefusal, oauth::authorize::AuthorizationRefusal,
    oauth::token::TokenRefusal, sandbox::now,
};

const BAD_TOKEN: &str = "The access token is invalid or has expired";

pub(crate) fn json_answer(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let media_type = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}

/// The OAuth family: flat.
fn flat(error: &str, description: &str) -> Value {
    json!({"error": error, "error_description": description})
}

pub(crate) fn timestamp() -> u64 {
    let since_epoch = now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_millis().try_into().unwrap_or(u64::MAX)
}

impl IntoResponse for TokenRefusal {
    fn into_response(self) -> Response {
        let (error, description) = self.texts();
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::BAD_REQUEST);
        json_answer(status, &flat(error, description))
    }
}

impl IntoResponse for AuthorizationRefusal {
    fn into_response(self) -> Response {
        let (error, description) = self.texts();
        json_answer(StatusCode::BAD_REQUEST, &flat(error, description))
    }
}

impl IntoResponse for BearerRefusal {
    /// A 401 is flat where no token came and nested where a bad one did: both occur at Kroger.
    fn into_response(self) -> Response {
        let bad_token = flat("invalid_token", BAD_TOKEN);
        match self {
            Self::Missing => json_answer(StatusCode::UNAUTHORIZED, &bad_token),
            Self::Invalid => json_answer(StatusCode::UNAUTHORIZED, &json!({"errors": bad_token})),
            Self::Scope => {
                let reason = "missing required scopes";
                let error = json!({"timestamp": timestamp(), "code": "Forbidden", "reason": reason});
                json_answer(StatusCode::FORBIDDEN, &json!({"errors": error}))
            }
        }
    }
}

impl IntoResponse for ItemsRefusal {
    /// Bare, without `errors` around it, as Kroger's cart document has it.
    fn into_response(self) -> Response {
        let (code, reason) = ("API-4101-400", self.reason());
        let error = json!({"timestamp": timestamp(), "code": code, "reason": reason});
        json_answer(StatusCode::BAD_REQUEST, &error)
    }
}
