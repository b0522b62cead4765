//! The Model Context Protocol over lines, as an app of an agent speaks it to a program that it
//! started. Each message goes to the component's `/mcp` as an HTTP request, and the answer is a line.
//!
//! It knows only the part of the protocol that is outside the message: the headers, and whether a
//! message gets an answer.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use kroger_core::json::tree_size;
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::task::JoinSet;

use crate::run::pool::Pool;
use crate::run::server::{self, MAX_BODY};

const VERSION: &str = "mcp-protocol-version";
const SESSION: &str = "mcp-session-id";
const VERSION_IN_META: &str = "/params/_meta/io.modelcontextprotocol~1protocolVersion";
/// JSON-RPC 2.0 § 5.1.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const INTERNAL_ERROR: i32 = -32603;

/// The largest message as a tree. The component refuses smaller ones.
const LARGEST_TREE: usize = 4 << 20;

/// How long the app may read none of its answers.
const READ_LIMIT: Duration = Duration::from_secs(30);

pub(crate) async fn serve(
    pool: &Pool,
    mut lines: Receiver<Vec<u8>>,
    answers: Sender<String>,
    stop: impl Future<Output = ()>,
) {
    let client = Arc::new(Client::default());
    let mut calls = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let line = tokio::select! {
            () = &mut stop => break,
            Some(_) = calls.join_next() => continue,
            line = lines.recv() => match line {
                Some(line) => line,
                None => break,
            },
        };
        let message = match read(&line) {
            Ok(Some(message)) => message,
            Ok(None) => continue,
            Err(refusal) => {
                let _ = answers.send_timeout(refusal.to_string(), READ_LIMIT).await;
                continue;
            }
        };
        let is_handshake = message["method"] == "initialize";
        let call = answer(pool.clone(), Arc::clone(&client), message, answers.clone());
        if is_handshake {
            // Later messages carry the version and the session that it settles.
            call.await;
        } else {
            calls.spawn(call);
        }
    }
    calls.join_all().await;
}

/// What the handshake settled. Revisions from 2026-07-28 on have none.
#[derive(Default)]
struct Client {
    settled: Mutex<Settled>,
}

#[derive(Clone, Default)]
struct Settled {
    version: Option<HeaderValue>,
    session: Option<HeaderValue>,
}

/// Reads the request in a line. `None` if it gets no answer: a notification, which has no meaning for
/// a server without state, or an answer that nobody asked for. `Err` is the answer to a bad line.
fn read(line: &[u8]) -> Result<Option<Value>, Value> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    if line.len() > MAX_BODY {
        return Err(error(&Value::Null, INVALID_REQUEST, "The line is longer than 256 KiB."));
    }
    if tree_size(line) > LARGEST_TREE {
        return Err(error(&Value::Null, INVALID_REQUEST, "The line holds more values than any call needs."));
    }
    let Ok(message) = serde_json::from_slice::<Value>(line) else {
        return Err(error(&Value::Null, PARSE_ERROR, "The line is not valid JSON in UTF-8."));
    };
    let Some(method) = message.get("method") else {
        let is_answer = message.get("result").is_some() || message.get("error").is_some();
        let refusal = || error(&Value::Null, INVALID_REQUEST, "The line is no JSON-RPC 2.0 message; send one a line.");
        return if is_answer { Ok(None) } else { Err(refusal()) };
    };
    if !method.is_string() {
        return Err(error(&message["id"], INVALID_REQUEST, "`method` is not a text."));
    }
    Ok(message.get("id").is_some().then_some(message))
}

async fn answer(pool: Pool, client: Arc<Client>, message: Value, answers: Sender<String>) {
    let id = message["id"].clone();
    let answer = match client.request(&message) {
        Some(request) => {
            let response = server::call(&pool, None, request, None).await;
            let session = response.headers().get(SESSION).cloned();
            let answer = whole(&id, response).await;
            if message["method"] == "initialize" {
                client.settle(&answer, session);
            }
            answer
        }
        None => error(&id, INVALID_REQUEST, "The message cannot be sent on."),
    };
    // This fails only if the app has gone away, or reads nothing. Such an app must not keep the process.
    let _ = answers.send_timeout(answer.to_string(), READ_LIMIT).await;
}

impl Client {
    fn settled(&self) -> Settled {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The message as an HTTP client sends it. The headers repeat parts of the message.
    fn request(&self, message: &Value) -> Option<Request<Full<Bytes>>> {
        let settled = self.settled();
        let mut request = Request::post("http://localhost/mcp")
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream");
        let of_message = message.pointer(VERSION_IN_META).and_then(Value::as_str);
        let version = of_message.and_then(|version| HeaderValue::from_str(version).ok()).or(settled.version);
        if let Some(version) = version {
            request = request.header(VERSION, version);
        }
        if let Some(session) = settled.session {
            request = request.header(SESSION, session);
        }
        request = request.header("mcp-method", message["method"].as_str()?);
        if let Some(name) = name(message) {
            request = request.header("mcp-name", encoded(name));
        }
        request.body(Full::new(message.to_string().into())).ok()
    }

    fn settle(&self, answer: &Value, session: Option<HeaderValue>) {
        let version = answer["result"]["protocolVersion"].as_str();
        let version = version.and_then(|version| HeaderValue::from_str(version).ok());
        *self.settled.lock().unwrap_or_else(PoisonError::into_inner) = Settled { version, session };
    }
}

/// The name that HTTP repeats in `Mcp-Name`, if the method has one.
fn name(message: &Value) -> Option<&str> {
    match message["method"].as_str()? {
        "tools/call" | "prompts/get" => message["params"]["name"].as_str(),
        "resources/read" => message["params"]["uri"].as_str(),
        _ => None,
    }
}

/// The name as the value of a header: visible ASCII, or else wrapped in Base64.
fn encoded(name: &str) -> String {
    let is_plain =
        name.bytes().all(|byte| matches!(byte, b' '..=b'~')) && name.trim() == name && !name.starts_with("=?");
    if is_plain { name.to_owned() } else { format!("=?base64?{}?=", STANDARD.encode(name)) }
}

/// The answer as a message. An answer that is no message becomes a JSON-RPC error.
async fn whole(id: &Value, response: Response<Full<Bytes>>) -> Value {
    let status = response.status();
    let Ok(body) = response.into_body().collect().await;
    match serde_json::from_slice::<Value>(&body.to_bytes()) {
        Ok(message) if message["jsonrpc"] == "2.0" => message,
        Ok(problem) => error(id, INTERNAL_ERROR, problem["detail"].as_str().unwrap_or("The call failed.")),
        Err(_) if status == StatusCode::BAD_REQUEST => error(id, INVALID_REQUEST, "The message is not valid."),
        Err(_) => error(id, INTERNAL_ERROR, "The call failed."),
    }
}

fn error(id: &Value, code: i32, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_are_sent_on() {
        let request = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let silent = ["", "  ", r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, r#"{"id":1,"result":{}}"#];

        assert_eq!(read(request.as_bytes()).unwrap().unwrap()["id"], 1);
        for line in silent {
            assert_eq!(read(line.as_bytes()), Ok(None), "{line}");
        }
        let all_structure = format!("[{}]", vec![r#"{"":0}"#; 30_000].join(","));
        let refused: [(&[u8], i32); 6] = [
            (all_structure.as_bytes(), INVALID_REQUEST),
            (b"{", PARSE_ERROR),
            (b"{\"id\":1,\"method\":\"caf\xe9\"}", PARSE_ERROR),
            (b"[]", INVALID_REQUEST),
            (br#"{"id":7,"method":1}"#, INVALID_REQUEST),
            (&vec![b'{'; MAX_BODY + 1], INVALID_REQUEST),
        ];
        for (line, code) in refused {
            assert_eq!(read(line).unwrap_err()["error"]["code"], code, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn the_headers_repeat_the_version_and_the_name() {
        let client = Client::default();
        client.settle(&json!({ "result": { "protocolVersion": "2025-11-25" } }), None);
        let header = |message: &Value, name: &str| {
            let request = client.request(message).unwrap();
            request.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        let old = json!({ "id": 1, "method": "tools/call", "params": { "name": "sign_in" } });
        let new = json!({
            "id": 1,
            "method": "resources/read",
            "params": { "uri": "kroger://é", "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } },
        });

        assert_eq!(header(&old, VERSION).as_deref(), Some("2025-11-25"));
        assert_eq!(header(&old, "mcp-name").as_deref(), Some("sign_in"));
        assert_eq!(header(&new, VERSION).as_deref(), Some("2026-07-28"));
        assert_eq!(header(&new, "mcp-name").as_deref(), Some("=?base64?a3JvZ2VyOi8vw6k=?="));
    }
}
