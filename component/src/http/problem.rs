//! The answer to a failed call: a problem document (RFC 9457).
//!
//! Its `type` is `urn:kroger-mcp:` and the `code`. No problem carries a token,
//! a secret, a path of the machine or a library's own words.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use kroger_core::Context;
use kroger_core::failure::{Cause, Code, Failure};
use kroger_core::scope::Scope;
use kroger_core::sign_in::links;
use kroger_core::user::UserId;

use super::told;

/// Marks the answer of an earlier call with the same idempotency key.
pub(super) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A failed call, as HTTP tells it.
#[derive(Clone, Debug)]
pub(super) struct Problem(Box<Document>);

/// The sign-in's redirect and a missing refresh token had this status in the
/// first system; elsewhere a wrong argument is 422.
const BAD_REQUEST: (StatusCode, &str) = (StatusCode::BAD_REQUEST, "Invalid argument");

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Document {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    #[serde(serialize_with = "number")]
    #[cfg_attr(test, schema(value_type = u16))]
    status: StatusCode,
    detail: String,
    code: &'static str,
    /// True if the same call may succeed later without any change.
    retryable: bool,
    /// Whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    /// The next step of the caller, in one or two sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_url: Option<String>,
    /// More exact than `code`, for the page that a person sees.
    #[serde(skip)]
    class: Option<Code>,
    #[serde(skip)]
    cause: Option<Cause>,
    /// The user and the scope of a sign-in link that solves the problem.
    #[serde(skip)]
    mended_by: Option<(UserId, Scope)>,
    #[serde(skip)]
    is_replay: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Document {
            kind: format!("urn:kroger-mcp:{code}"),
            title,
            status,
            detail: detail.into(),
            code,
            retryable: false,
            retry_after: None,
            action: None,
            authorization_url: None,
            class: None,
            cause: None,
            mended_by: None,
            is_replay: false,
        }))
    }

    fn action(mut self, action: impl Into<String>) -> Self {
        self.0.action = Some(action.into());
        self
    }

    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    pub(super) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Adds the sign-in link that solves it.
    fn with_link(mut self, cx: Context<'_>) -> Self {
        if let Some((user, scope)) = self.0.mended_by.take() {
            self.0.authorization_url = links::link(cx, &user, &scope);
        }
        self
    }

    /// Tells what happened.
    pub(super) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The class of the failure. None: no rule of the core failed.
    pub(super) fn code(&self) -> Option<Code> {
        self.0.class
    }

    pub(super) fn cause(&self) -> Option<&Cause> {
        self.0.cause.as_ref()
    }

    pub(super) fn invalid_argument(field: &str, allowed: &str) -> Self {
        Failure::invalid_argument(field, allowed).into()
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", "There is no such route.")
            .action("GET /config says what can be done here.")
    }

    pub(super) fn method_not_allowed() -> Self {
        let detail = "This route does not take that method; the header `Allow` says which it takes.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed", detail)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let detail =
            format!("The body is larger than the {} KiB that this route reads. Nothing was done.", limit >> 10);
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Request too large", detail)
            .action("Send a smaller body, such as fewer items in each call.")
    }

    pub(super) fn too_many_values() -> Self {
        let detail = "The body holds more objects, lists and values than any call needs. Nothing was done.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Request too large", detail)
            .action("Send a smaller body, such as fewer items in each call.")
    }

    pub(super) fn malformed() -> Self {
        Self::invalid_argument("request", "a complete HTTP request")
    }

    pub(super) fn forbidden_origin(detail: impl Into<String>, action: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden_origin", "Forbidden origin", detail).action(action)
    }

    pub(super) fn misconfigured(detail: String) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "misconfigured", "Misconfigured", detail)
            .action("Correct the settings and start again.")
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let (status, title) = status_and_title(failure.code);
        let mut problem =
            Self::new(status, failure.code.as_str(), title, told::detail(&failure)).action(told::action(&failure));
        problem.0.retryable = failure.retry_after.is_some();
        problem.0.retry_after = failure.retry_after.map(whole_seconds);
        problem.0.mended_by = failure.mended_by_sign_in().map(|(user, scope)| (user.clone(), scope.clone()));
        problem.0.class = Some(failure.code);
        problem.0.cause = Some(failure.cause);
        problem.0.is_replay = failure.is_replay;
        problem
    }
}

/// A problem in a response to which [`linked`] adds a sign-in link.
#[derive(Clone)]
struct Unlinked(Problem);

/// Adds the sign-in link to the answer, if it is a problem that a sign-in solves.
pub(super) fn linked(mut response: Response, cx: Context<'_>) -> Response {
    match response.extensions_mut().remove::<Unlinked>() {
        Some(Unlinked(problem)) => problem.with_link(cx).into_response(),
        None => response,
    }
}

/// Rounds up: a retry one second early would be refused.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

fn status_and_title(code: Code) -> (StatusCode, &'static str) {
    match code {
        Code::Reauthorize => (StatusCode::UNAUTHORIZED, "Sign-in needed"),
        Code::TokenRejected => (StatusCode::UNAUTHORIZED, "Access token rejected"),
        Code::UpstreamUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "Kroger unavailable"),
        Code::UpstreamRejected => (StatusCode::UNPROCESSABLE_ENTITY, "Refused by Kroger"),
        Code::UpstreamNonsense => (StatusCode::BAD_GATEWAY, "Unintelligible answer"),
        Code::ClientCredentialsRejected => (StatusCode::SERVICE_UNAVAILABLE, "App credentials rejected"),
        Code::OutcomeUnknown => (StatusCode::GATEWAY_TIMEOUT, "Outcome unknown"),
        Code::QuotaExhausted => (StatusCode::TOO_MANY_REQUESTS, "Quota exhausted"),
        Code::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "Too often"),
        Code::ScopeMissing => (StatusCode::FORBIDDEN, "Scope missing"),
        Code::InvalidArgument => (StatusCode::UNPROCESSABLE_ENTITY, "Invalid argument"),
        Code::IdempotencyConflict => (StatusCode::UNPROCESSABLE_ENTITY, "Idempotency key used before"),
        Code::IdempotencyInFlight => (StatusCode::CONFLICT, "Still running"),
        Code::NoRefreshToken => BAD_REQUEST,
        Code::SignInFailed | Code::SignInDeclined => BAD_REQUEST,
        Code::StoreUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "Token store unavailable"),
        Code::NotFound => (StatusCode::NOT_FOUND, "Not found"),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Document { status, retry_after, is_replay, .. } = *self.0;
        let waits_for_link = self.0.mended_by.is_some();
        let body = serde_json::to_vec(&self.0).expect("a problem has string keys and no failing parts");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if is_replay {
            headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
        }
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110 § 15.5.2 requires a challenge. A person answers this one.
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Kroger-Sign-In realm=\"/auth/authorize\""));
        }
        if waits_for_link {
            response.extensions_mut().insert(Unlinked(self));
        }
        response
    }
}
