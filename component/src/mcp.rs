//! The Model Context Protocol at `/mcp`: tools, resources and prompts over the
//! same rules as the HTTP routes. Streamable HTTP without sessions: each request
//! is served whole by whichever instance gets it, and answered as JSON.
//!
//! Revisions 2026-07-28, 2025-11-25 and 2025-06-18 at one endpoint. What the
//! protocol asks is the SDK's business, what a tool does is the core's; here one
//! is translated into the other, and nothing is kept from call to call.

#![allow(
    clippy::doc_markdown,
    clippy::doc_link_with_quotes,
    reason = "what is said of arguments and results is what a model is told"
)]
#![allow(clippy::struct_field_names, reason = "the keys of results")]

mod account;
mod call;
mod cart;
mod consent;
mod items;
mod means;
mod message;
mod products;
mod prompts;
mod recent;
mod resources;
mod server;
mod stores;
#[cfg(test)]
mod tests;
mod tool;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use data_encoding::HEXLOWER;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::Value;

use crate::edge::{Caller, LARGEST_REQUEST};
pub(crate) use server::Server;

/// The endpoint, built once and asked many times.
pub(crate) struct Mcp<S> {
    service: StreamableHttpService<S, NeverSessionManager>,
}

impl<S: ServerHandler + Clone> Mcp<S> {
    /// Host and Origin are checked on every route before this one is asked.
    pub(crate) fn new(server: S) -> Self {
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_sse_keep_alive(None)
            .with_sse_retry(None)
            .with_max_request_body_bytes(LARGEST_REQUEST)
            .disable_allowed_hosts();
        Self { service: StreamableHttpService::new(move || Ok(server.clone()), Arc::default(), config) }
    }

    /// Answers `request`, which carries its [`Caller`]; the answer is complete.
    pub(crate) fn answer(&self, mut request: Request<Bytes>) -> Response<Bytes> {
        let mut session = None;
        if request.method() == Method::POST {
            match message::read(request.body()) {
                Ok(message) => session = self::session(&request, &message),
                Err(refusal) => return refusal.answer(),
            }
        }
        accept_by_name(request.headers_mut());
        let mut response = run(async {
            let (parts, body) = self.service.handle(request.map(Body::from)).await.into_parts();
            // In memory, so there is nothing to fail.
            let bytes = axum::body::to_bytes(Body::new(body), usize::MAX).await.unwrap_or_default();
            Response::from_parts(parts, bytes)
        });
        if let Some(session) = session.filter(|_| response.status().is_success()) {
            response.headers_mut().insert(means::SESSION, session);
        }
        response
    }
}

/// An id for a client of 2025-11-25 that says in its handshake that it opens
/// links: later calls do not say so again. It is all that the session is.
fn session(request: &Request<Bytes>, handshake: &Value) -> Option<HeaderValue> {
    const VERSION: &str = "2025-11-25";

    let params = &handshake["params"];
    let is_asked = handshake["method"] == "initialize" && params["protocolVersion"] == VERSION;
    if !is_asked || !params["capabilities"]["elicitation"]["url"].is_object() {
        return None;
    }
    let mut bytes = [0; 16];
    request.extensions().get::<Caller>()?.ports.random_bytes(&mut bytes);
    let id = HEXLOWER.encode(&bytes);
    HeaderValue::from_str(&format!("{}{id}", means::OPENS_LINKS)).ok()
}

/// The SDK wants both forms of an answer named, and takes no wildcard for them.
fn accept_by_name(headers: &mut HeaderMap) {
    let texts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = texts.flat_map(|text| text.split(',')).filter_map(|entry| entry.split(';').next());
    if ranges.any(|range| range.trim() == "*/*") {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    }
}

/// Runs `call` to its end on this thread. The SDK spawns tasks and looks at the
/// clock, so it wants a runtime; one for each call leaves nothing behind.
fn run<F: Future>(call: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime without I/O asks nothing of its host").block_on(call)
}
