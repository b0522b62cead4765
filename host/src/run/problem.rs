//! Problem documents (RFC 9457) for calls that the component does not answer.
//!
//! They have the same members as the component's, so a caller reads one form. They say nothing of the
//! cause.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::run::pool::CallError;

/// Why the host answers a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Too many calls are under way.
    Busy,
    /// The caller has too many calls under way.
    OverShare,
    /// The component failed; what it did is not known.
    Internal,
    /// The component took too long; what it did is not known.
    TimedOut,
    /// The request's body does not arrive.
    SlowBody,
    /// The request's body ended early.
    BrokenBody,
    /// There is no single valid `Host`.
    Host,
    /// This listener serves only what a sign-in needs.
    NotServed,
}

const BUSY_RETRY: Duration = Duration::from_secs(1);

impl Problem {
    pub(crate) fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.document().into()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after() {
            headers.insert(RETRY_AFTER, wait.as_secs().into());
        }
        response
    }

    fn document(self) -> String {
        let status = self.status();
        let mut document = json!({
            "type": format!("urn:kroger-mcp:{}", self.code()),
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": self.detail(),
            "code": self.code(),
            "retryable": self.retry_after().is_some(),
            "action": self.action(),
        });
        if let Some(wait) = self.retry_after() {
            document["retry_after"] = wait.as_secs().into();
        }
        document.to_string()
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::OverShare => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::BrokenBody | Self::Host => StatusCode::BAD_REQUEST,
            Self::NotServed => StatusCode::NOT_FOUND,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::OverShare => "rate_limited",
            Self::Internal | Self::TimedOut => "internal",
            Self::SlowBody | Self::BrokenBody | Self::Host => "invalid_argument",
            Self::NotServed => "not_found",
        }
    }

    fn detail(self) -> &'static str {
        match self {
            Self::Busy => "Too many calls are under way. Nothing was done; try again in a moment.",
            Self::OverShare => {
                "Too many of your own calls are under way. Nothing was done; try again when some have ended."
            }
            Self::Internal => {
                "The server failed while it worked on this call. A cart add may have been sent: look in the \
                 cart before you send it again."
            }
            Self::TimedOut => {
                "The call took too long and was given up. A cart add may have been sent: look in the cart \
                 before you send it again."
            }
            Self::SlowBody => "The request's body did not arrive within 10 seconds.",
            Self::BrokenBody => "The request's body ended early.",
            Self::Host => "The request needs exactly one valid `Host` header.",
            Self::NotServed => {
                "This process was started by an agent's app or by a command, and serves only what a sign-in needs."
            }
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Busy => "Send the call again after `Retry-After`.",
            Self::OverShare => "Make fewer calls at a time, and send this one again after `Retry-After`.",
            Self::Internal | Self::TimedOut => "Look in the cart before you send an add again; the log says more.",
            Self::SlowBody | Self::BrokenBody => "Send the call again with its whole body.",
            Self::Host => "Send the name of this server as the one `Host`.",
            Self::NotServed => "Run kroger-mcp serve, or give kroger-mcp stdio the option --all-routes.",
        }
    }

    fn retry_after(self) -> Option<Duration> {
        matches!(self, Self::Busy | Self::OverShare).then_some(BUSY_RETRY)
    }
}

impl From<&CallError> for Problem {
    fn from(error: &CallError) -> Self {
        match error {
            CallError::Busy | CallError::NoInstance(_) => Self::Busy,
            CallError::OverShare => Self::OverShare,
            CallError::TimedOut => Self::TimedOut,
            CallError::Failed(_) => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_problem_has_the_members_of_the_components_own() {
        let response = Problem::Busy.response();

        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["type"], "urn:kroger-mcp:busy");
        assert_eq!(document["action"], "Send the call again after `Retry-After`.");
        assert_eq!(document["status"], 503);
        assert_eq!(document["code"], "busy");
        assert_eq!(document["retryable"], true);
        assert_eq!(document["retry_after"], 1);
    }

    #[test]
    fn a_failed_call_says_nothing_of_its_cause() {
        let error = CallError::Failed(wasmtime::format_err!("canary"));

        assert!(!Problem::from(&error).document().contains("canary"));
    }
}
