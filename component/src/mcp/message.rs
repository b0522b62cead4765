//! Checks that a message is JSON-RPC before the SDK reads it. The SDK answers a message that it cannot read by a
//! status alone, and takes wrong parameters for an unknown method. Never runs a method.

use axum::body::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use rmcp::model::ErrorCode;
use serde_json::{Value, json};

use crate::edge::LARGEST_MESSAGE;
use kroger_core::json::tree_size;

/// The reason why a message is not served.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    /// Null if the message has no valid id.
    id: Value,
    code: ErrorCode,
    message: String,
}

/// Reads a message as MCP requires it: one object, with an id that is a text or a whole number.
pub(super) fn read(body: &[u8]) -> Result<Value, Refusal> {
    if tree_size(body) > LARGEST_MESSAGE {
        let why = "The message holds more objects, lists and values than any call needs. Send a smaller one.";
        return Err(Refusal::new(ErrorCode::INVALID_REQUEST, why));
    }
    let Ok(message) = serde_json::from_slice::<Value>(body) else {
        return Err(Refusal::new(ErrorCode::PARSE_ERROR, "The body is not valid JSON."));
    };
    let invalid = |why: &str| Err(Refusal::new(ErrorCode::INVALID_REQUEST, why));
    if !message.is_object() {
        return invalid("The body is not one message: an object. Batches are not taken.");
    }
    if message["jsonrpc"] != "2.0" {
        return invalid("`jsonrpc` is not \"2.0\".");
    }
    if message.get("id").is_some_and(|id| !id.is_string() && !id.is_i64()) {
        return invalid("`id` is neither a text nor a whole number.");
    }
    let is_answer = message.get("result").is_some() || message.get("error").is_some();
    if !message["method"].is_string() && !is_answer {
        return invalid("`method` is not a text.");
    }
    check_params(&message).map(|()| message)
}

/// Checks the parameters that a method requires. The SDK answers a missing one like an unknown method.
fn check_params(message: &Value) -> Result<(), Refusal> {
    let params = &message["params"];
    let named = match message["method"].as_str() {
        Some("tools/call" | "prompts/get") => Some("name"),
        Some("resources/read") => Some("uri"),
        _ => None,
    };
    let wrong = if !params.is_null() && !params.is_object() {
        "`params` is not an object.".to_owned()
    } else if let Some(name) = named.filter(|name| !params[name].is_string()) {
        format!("`{name}` is not a text.")
    } else if named.is_some() && !params["arguments"].is_null() && !params["arguments"].is_object() {
        "`arguments` is not an object.".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal { id: message["id"].clone(), code: ErrorCode::INVALID_PARAMS, message: wrong })
}

impl Refusal {
    fn new(code: ErrorCode, message: &str) -> Self {
        Self { id: Value::Null, code, message: message.to_owned() }
    }

    /// Answers with the status that the SDK uses for such an error.
    pub(super) fn answer(&self) -> Response<Bytes> {
        let error = json!({ "code": self.code.0, "message": self.message });
        let body = json!({ "jsonrpc": "2.0", "id": self.id, "error": error });
        let mut response = Response::new(Bytes::from(body.to_string()));
        if self.code != ErrorCode::INVALID_PARAMS {
            *response.status_mut() = StatusCode::BAD_REQUEST;
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_all_structure_is_refused_before_it_is_read() {
        for piece in [r#"{"":0}"#, "{}", "[]", r#"{"a":{"":0}}"#] {
            let filling = vec![piece; (250 << 10) / (piece.len() + 1)].join(",");
            let message = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":[{filling}]}}}}"#);
            let refusal = read(message.as_bytes()).expect_err(piece);

            assert_eq!(refusal.code, ErrorCode::INVALID_REQUEST, "{piece}");
        }
    }
}
