//! Reads answers of the token endpoint (RFC 6749 §§ 5.1 and 5.2, and Kroger's
//! dialect). Stores nothing.
//!
//! One question matters most: does the answer end the grant? Only an OAuth error in
//! JSON, about the token itself, does. Every other answer is a success, an error of
//! another kind, or unknown.

use std::time::Duration;

use serde_json::Value;

use crate::json;
use crate::kroger::api_error::ApiError;
use crate::kroger::retry_after::retry_after;
use crate::ports::{Response, Timestamp};
use crate::scope::Scope;
use crate::secret::Secret;

/// The lifetime to assume if the answer has none, or nonsense. It is short: an
/// early refresh costs little, and a late one fails calls.
const ASSUMED_LIFETIME: Duration = Duration::from_secs(300);
/// The longest lifetime to believe. A longer one counts as this.
const LONGEST_LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// The longest token to take. Kroger's have about 1 KiB, and common servers read 16 KiB of headers at most.
const LONGEST_TOKEN: usize = 16 << 10;

/// Tokens that the server granted (RFC 6749 § 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenResponse {
    pub(crate) access_token: Secret,
    /// None: the refresh token that was sent stays in use (§ 6).
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) expires_in: Duration,
    pub(crate) scope: Option<String>,
}

/// The meaning of an answer: what must happen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenVerdict {
    Granted(TokenResponse),
    /// The refresh token or the code is invalid, expired or spent. This is final.
    Refused,
    /// The app's id or secret is wrong. The operator must correct it.
    ClientRefused,
    /// An OAuth error about the request, not about the token.
    RequestRefused(ApiError),
    /// Status 429: not processed, so try again.
    Busy {
        retry_after: Option<Duration>,
    },
    /// Status 408 or 5xx: it may have been processed.
    Failed {
        retry_after: Option<Duration>,
    },
    /// Not an answer of an OAuth server: the outcome is unknown.
    Unintelligible,
}

/// Reads an answer to any of the three grants. `now` is the wall time of its
/// arrival.
pub(crate) fn verdict(response: &Response, now: Timestamp) -> TokenVerdict {
    match response.status {
        429 => TokenVerdict::Busy { retry_after: retry_after(response, now) },
        408 | 500..=599 => TokenVerdict::Failed { retry_after: retry_after(response, now) },
        200..=299 => token_response(&response.body)
            .map(TokenVerdict::Granted)
            .or_else(|| error_response(&response.body))
            .unwrap_or(TokenVerdict::Unintelligible),
        400 | 401 => error_response(&response.body).unwrap_or(TokenVerdict::Unintelligible),
        _ => TokenVerdict::Unintelligible,
    }
}

fn token_response(body: &[u8]) -> Option<TokenResponse> {
    let value: Value = json::answer(body)?;
    Some(TokenResponse {
        access_token: token(&value, "access_token")?,
        refresh_token: token(&value, "refresh_token"),
        expires_in: expires_in(value.get("expires_in")),
        scope: value.get("scope").and_then(Value::as_str).and_then(Scope::granted),
    })
}

/// Reads a token, if a header can carry it.
fn token(value: &Value, name: &str) -> Option<Secret> {
    let text = value.get(name)?.as_str()?;
    let is_sendable = (1..=LONGEST_TOKEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_sendable.then(|| Secret::new(text))
}

/// Reads seconds: a number or, as some servers send it, a string.
fn expires_in(value: Option<&Value>) -> Duration {
    let seconds = match value {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    match seconds {
        Some(seconds) if seconds >= 1.0 => Duration::from_secs_f64(seconds.min(LONGEST_LIFETIME.as_secs_f64())),
        _ => ASSUMED_LIFETIME,
    }
}

fn error_response(body: &[u8]) -> Option<TokenVerdict> {
    let value: Value = json::answer(body)?;
    let error = value.get("error")?.as_str()?;
    let description = value.get("error_description").and_then(Value::as_str).unwrap_or_default();
    Some(match error {
        "invalid_grant" => TokenVerdict::Refused,
        "invalid_request" | "invalid_token" | "access_denied" if is_about_the_token(description) => {
            TokenVerdict::Refused
        }
        "invalid_client" | "unauthorized" | "unauthorized_client" => TokenVerdict::ClientRefused,
        _ => TokenVerdict::RequestRefused(ApiError::parse(body).unwrap_or_default()),
    })
}

/// Whether the description complains about the token or the code. Kroger answers
/// `invalid_request` to every mistake; only the description tells them apart, such
/// as `invalid refresh_token` and `invalid code`.
fn is_about_the_token(description: &str) -> bool {
    let words = description.to_ascii_lowercase();
    let is_complaint = ["invalid", "not valid", "expired", "revoked", "used"].iter().any(|word| words.contains(word));
    let names_it = ["refresh_token", "refresh token"].iter().any(|name| words.contains(name))
        || words.trim() == "invalid code"
        || words.contains("authorization code");
    is_complaint && names_it
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> TokenVerdict {
        let response = Response { status, retry_after: None, date: None, body: body.as_bytes().to_vec() };
        verdict(&response, Timestamp::from_secs(1_000))
    }

    fn lifetime(expires_in: &str) -> u64 {
        let body = format!(r#"{{"access_token":"a","refresh_token":"r","expires_in":{expires_in}}}"#);
        match read(200, &body) {
            TokenVerdict::Granted(response) => response.expires_in.as_secs(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_an_oauth_error_about_the_token_is_a_refusal() {
        let refused = [
            (400, r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#),
            (400, r#"{"error":"invalid_grant"}"#),
            (401, r#"{"error":"invalid_grant","error_description":"x"}"#),
            (400, r#"{"error":"invalid_request","error_description":"invalid code"}"#),
            (400, r#"{"error":"invalid_request","error_description":"The refresh token is not valid"}"#),
            (401, r#"{"error":"invalid_token","error_description":"Refresh token expired"}"#),
            (400, r#"{"error":"access_denied","error_description":"refresh token revoked"}"#),
            (200, r#"{"error":"invalid_grant"}"#),
        ];
        for (status, body) in refused {
            assert_eq!(read(status, body), TokenVerdict::Refused, "{status} {body}");
        }
        let not_refused = [
            (403, r#"{"error":"invalid_grant"}"#),
            (400, r#"{"error":"invalid_request","error_description":"invalid grant_type"}"#),
            (400, r#"{"error":"invalid_request","error_description":"The refresh_token is missing"}"#),
            (400, "<html>invalid refresh_token</html>"),
            (400, ""),
            (302, ""),
            (200, "<html>sign in to the wifi</html>"),
            (204, ""),
            (500, r#"{"error":"invalid_grant"}"#),
        ];
        for (status, body) in not_refused {
            assert_ne!(read(status, body), TokenVerdict::Refused, "{status} {body}");
        }
    }

    #[test]
    fn wrong_client_credentials_are_told_from_a_refused_token() {
        for (status, body) in [
            (400, r#"{"error":"unauthorized","error_description":"invalid credentials"}"#),
            (401, r#"{"error":"unauthorized","error_description":"invalid credentials"}"#),
            (401, r#"{"error":"invalid_client"}"#),
        ] {
            assert_eq!(read(status, body), TokenVerdict::ClientRefused);
        }
    }

    #[test]
    fn a_missing_lifetime_is_assumed_and_a_huge_one_is_bounded() {
        assert_eq!(lifetime("1800"), 1_800);
        assert_eq!(lifetime("\"3600\""), 3_600);
        assert_eq!(lifetime("1799.9"), 1_799);
        for nonsense in ["null", "-5", "0", "\"soon\"", "[]"] {
            assert_eq!(lifetime(nonsense), 300, "{nonsense}");
        }
        assert_eq!(lifetime("1e300"), 30 * 86_400);
    }

    #[test]
    fn an_access_token_without_a_refresh_token_is_granted() {
        let TokenVerdict::Granted(response) = read(200, r#"{"access_token":"a","expires_in":10}"#) else {
            panic!("not granted");
        };

        assert_eq!(response.refresh_token, None);
        assert_eq!(response.scope, None);
    }

    #[test]
    fn no_field_of_an_answer_is_taken_beyond_its_bound() {
        let answer = |field: &str, length: usize| {
            let mut answer = serde_json::json!({ "access_token": "a", "refresh_token": "r", "scope": "s" });
            answer[field] = "x".repeat(length).into();
            read(200, &answer.to_string())
        };
        let scope = |length: usize| match answer("scope", length) {
            TokenVerdict::Granted(response) => response.scope.map(|scope| scope.len()),
            other => panic!("{other:?}"),
        };
        let refresh_token = |length: usize| match answer("refresh_token", length) {
            TokenVerdict::Granted(response) => response.refresh_token.is_some(),
            other => panic!("{other:?}"),
        };

        assert_eq!([scope(1_024), scope(1_025), scope(900_000)], [Some(1_024), None, None]);
        assert_eq!([refresh_token(LONGEST_TOKEN), refresh_token(900_000)], [true, false]);
        assert_eq!(answer("access_token", LONGEST_TOKEN + 1), TokenVerdict::Unintelligible);
        assert_eq!(read(200, r#"{"access_token":"a","scope":"a\u001b[31m"}"#), read(200, r#"{"access_token":"a"}"#));
        for large in [900_000, 10] {
            let TokenVerdict::RequestRefused(error) = read(
                400,
                &serde_json::json!({ "error": "x".repeat(large), "error_description": "y".repeat(large) }).to_string(),
            ) else {
                panic!("not refused");
            };
            assert!(error.code.len() <= 200 && error.reason.len() <= 200);
        }
    }

    #[test]
    fn a_token_that_fits_no_header_is_unintelligible() {
        assert_eq!(read(200, "{\"access_token\":\"a\\r\\nb\"}"), TokenVerdict::Unintelligible);
        assert_eq!(read(200, r#"{"access_token":""}"#), TokenVerdict::Unintelligible);
    }

    #[test]
    fn a_429_is_busy_and_a_5xx_is_failed() {
        assert_eq!(read(429, ""), TokenVerdict::Busy { retry_after: None });
        for status in [408, 500, 502, 503, 504, 599] {
            assert_eq!(read(status, ""), TokenVerdict::Failed { retry_after: None });
        }
    }
}
