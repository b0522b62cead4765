//! The actions of faults: what happens to a call that meets one, and how a caller asks for it.
//!
//! Parses only: `layers::disturb` carries actions out.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};

/// What happens to a call that meets a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FaultAction {
    /// The call is answered without being processed.
    Status(CannedAnswer),
    /// The call is processed; the answer is this status and nothing else.
    StatusAfter(StatusCode),
    /// The call waits this many milliseconds, and then it is processed.
    DelayMs(u64),
    /// The connection is closed; the call is not processed.
    DropBefore,
    /// The call is processed; then the connection is closed without an answer.
    DropAfter,
    /// The call is processed; half of the answer's body is sent, and the connection is closed.
    Truncate,
    /// The call is processed; the answer is 200 with a page that no API sends.
    Garbage,
}

/// An answer that a caller asked for in advance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CannedAnswer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionRequest {
    status: Option<u16>,
    #[serde(default)]
    headers: Map<String, Value>,
    body: Option<Value>,
    status_after: Option<u16>,
    delay_ms: Option<u64>,
}

impl FaultAction {
    pub(super) fn parse(asked: Value) -> Result<Self, String> {
        match asked {
            Value::String(name) => Self::named(&name),
            Value::Object(_) => {
                ActionRequest::deserialize(asked).map_err(|error| format!("`action`: {error}"))?.try_into()
            }
            _ => Err("`action` must be a name or an object".into()),
        }
    }

    fn named(name: &str) -> Result<Self, String> {
        match name {
            "drop_before" => Ok(Self::DropBefore),
            "drop_after" => Ok(Self::DropAfter),
            "truncate" => Ok(Self::Truncate),
            "garbage" => Ok(Self::Garbage),
            _ => Err(format!("`action` {name:?} is none of drop_before, drop_after, truncate, garbage")),
        }
    }
}

impl TryFrom<ActionRequest> for FaultAction {
    type Error = String;

    fn try_from(asked: ActionRequest) -> Result<Self, String> {
        let decorated = asked.body.is_some() || !asked.headers.is_empty();
        match (asked.status, asked.status_after, asked.delay_ms) {
            (Some(code), None, None) => answer(code, asked.headers, asked.body).map(Self::Status),
            (None, Some(code), None) if !decorated => status(code).map(Self::StatusAfter),
            (None, None, Some(ms)) if !decorated => Ok(Self::DelayMs(ms)),
            _ => Err("`action` must have exactly one of `status` (with `headers` and `body` if \
                      wanted), `status_after`, `delay_ms`"
                .into()),
        }
    }
}

fn status(code: u16) -> Result<StatusCode, String> {
    match StatusCode::from_u16(code) {
        Ok(status) if (200..600).contains(&code) => Ok(status),
        _ => Err(format!("a status must be between 200 and 599, not {code}")),
    }
}

fn answer(code: u16, asked: Map<String, Value>, body: Option<Value>) -> Result<CannedAnswer, String> {
    let mut headers = Vec::new();
    for (name, value) in asked {
        headers.push(header(&name, &value).ok_or_else(|| format!("header {name:?} is not valid"))?);
    }
    let (body, media_type) = match body {
        None => (String::new(), None),
        Some(Value::String(text)) => (text, Some("text/plain; charset=utf-8")),
        Some(json) => (json.to_string(), Some("application/json")),
    };
    let typed = headers.iter().any(|(name, _)| name == "content-type");
    if let Some(media_type) = media_type.filter(|_| !typed) {
        headers.push((HeaderName::from_static("content-type"), HeaderValue::from_static(media_type)));
    }
    Ok(CannedAnswer { status: status(code)?, headers, body })
}

/// Parses a header whose value is a string or a number (such as `Retry-After`).
fn header(name: &str, value: &Value) -> Option<(HeaderName, HeaderValue)> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some((name.parse().ok()?, text.parse().ok()?))
}
