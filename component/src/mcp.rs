//! The Model Context Protocol at `/mcp`: tools, resources and prompts over the same rules as the HTTP routes. The
//! transport is streamable HTTP without sessions: the instance that gets a request serves all of it, and answers
//! JSON.
//!
//! One endpoint serves the revisions 2026-07-28, 2025-11-25 and 2025-06-18. The SDK speaks the protocol, and the core
//! has the rules. This module translates between them, and keeps nothing from call to call.

#![allow(
    clippy::doc_markdown,
    clippy::doc_link_with_quotes,
    reason = "the comments of arguments and results are texts for a model"
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
mod told;
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
#[cfg(test)]
pub(crate) use server::tool_names;

/// The endpoint. Built once for each instance, and used for every call.
pub(crate) struct Mcp<S> {
    service: StreamableHttpService<S, NeverSessionManager>,
}

impl<S: ServerHandler + Clone> Mcp<S> {
    /// Builds the endpoint. It checks no Host and Origin: the routes do so before they call it.
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

    /// Answers `request`, which carries its [`Caller`]. The answer is complete.
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
            // The body is in memory, so reading it cannot fail.
            let bytes = axum::body::to_bytes(Body::new(body), usize::MAX).await.unwrap_or_default();
            Response::from_parts(parts, bytes)
        });
        if let Some(session) = session.filter(|_| response.status().is_success()) {
            response.headers_mut().insert(means::SESSION, session);
        }
        response
    }
}

/// Makes a session id for a client of 2025-11-25 that says in its handshake that it opens links. Later calls do not
/// say so again. The session has no other content.
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

/// Replaces a wildcard in `Accept`. The SDK requires that both forms of an answer are named.
fn accept_by_name(headers: &mut HeaderMap) {
    let texts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = texts.flat_map(|text| text.split(',')).filter_map(|entry| entry.split(';').next());
    if ranges.any(|range| range.trim() == "*/*") {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    }
}

/// Runs `call` to its end on this thread.
///
/// The SDK spawns tasks and reads the clock, so it needs a runtime. A runtime for each call leaves nothing behind.
fn run<F: Future>(call: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime without I/O asks nothing of its host").block_on(call)
}
