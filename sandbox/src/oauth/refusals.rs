//! Lists why OAuth requests and bearer tokens are refused, and answers each in Kroger's words.
//!
//! Never decides to refuse: the rules beside it do.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::answers::{json_answer, nested_error, oauth_error};

const REDIRECT_URI_MISMATCH: &str = "The redirect_uri did not match the registered redirect_uri for this application";
const BAD_TOKEN: &str = "The access token is invalid or has expired";

/// Why the authorize endpoint does not show a request to the customer.
///
/// Kroger answers each at once, without a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthorizationRefusal {
    ClientId,
    RedirectUri,
    ResponseType,
    Scope,
    ChallengeMissing,
    ChallengeMethod,
    ChallengeShape,
    Repeated,
}

impl AuthorizationRefusal {
    /// Returns `error` and `error_description` of the answer.
    pub(crate) fn texts(self) -> (&'static str, &'static str) {
        let description = match self {
            Self::ClientId => "Invalid client_id",
            Self::RedirectUri => REDIRECT_URI_MISMATCH,
            Self::Scope => return ("invalid_scope", "invalid scope"),
            Self::ResponseType => return ("unsupported_response_type", "response_type must be code"),
            Self::ChallengeMissing => "code_challenge is required for a public client",
            Self::ChallengeMethod => "code_challenge_method must be S256",
            Self::ChallengeShape => "code_challenge must be 43 base64url characters",
            Self::Repeated => "a parameter is repeated",
        };
        ("invalid_request", description)
    }
}

impl IntoResponse for AuthorizationRefusal {
    fn into_response(self) -> Response {
        let (error, description) = self.texts();
        json_answer(StatusCode::BAD_REQUEST, &oauth_error(error, description))
    }
}

/// Why the token endpoint refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenRefusal {
    Credentials,
    /// A confidential client sent its credentials in the body; the real Kroger answers that with
    /// an unexplained 401.
    CredentialsInBody,
    GrantType,
    Scope,
    Code,
    RedirectUri,
    RefreshToken,
    Repeated,
}

impl TokenRefusal {
    fn status(self) -> StatusCode {
        match self {
            Self::CredentialsInBody => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Returns Kroger's `error` and `error_description`, which differ from those of RFC 6749.
    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Credentials | Self::CredentialsInBody => ("unauthorized", "invalid credentials"),
            Self::GrantType => ("unsupported_grant_type", "invalid grant_type"),
            Self::Scope => ("invalid_scope", "invalid scope"),
            Self::Code => ("invalid_request", "invalid code"),
            Self::RedirectUri => ("invalid_request", REDIRECT_URI_MISMATCH),
            Self::RefreshToken => ("invalid_request", "invalid refresh_token"),
            Self::Repeated => ("invalid_request", "a parameter is repeated"),
        }
    }
}

impl IntoResponse for TokenRefusal {
    fn into_response(self) -> Response {
        let (error, description) = self.texts();
        json_answer(self.status(), &oauth_error(error, description))
    }
}

/// Why a call with a bearer token is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BearerRefusal {
    /// 401: the call has no bearer token.
    Missing,
    /// 401: the token is unknown, expired or revoked.
    Invalid,
    /// 403: the token is valid, but does not allow this call.
    Scope,
}

impl IntoResponse for BearerRefusal {
    /// Answers 401 with a flat body if there is no token, with a nested one if the token is bad.
    ///
    /// Kroger sends both forms.
    fn into_response(self) -> Response {
        let bad_token = oauth_error("invalid_token", BAD_TOKEN);
        match self {
            Self::Missing => json_answer(StatusCode::UNAUTHORIZED, &bad_token),
            Self::Invalid => json_answer(StatusCode::UNAUTHORIZED, &json!({"errors": bad_token})),
            Self::Scope => json_answer(StatusCode::FORBIDDEN, &nested_error("Forbidden", "missing required scopes")),
        }
    }
}
