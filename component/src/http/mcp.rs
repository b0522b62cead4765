//! `/mcp`: hands a request of the Model Context Protocol to [`Mcp`], together with its caller. Reads nothing of the
//! message.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use axum::routing::{MethodRouter, any};
use http::Request;
use rmcp::ServerHandler;

use super::call::Call;
use super::problem::Problem;
use crate::edge::{Caller, LARGEST_REQUEST};
use crate::mcp::Mcp;
use kroger_core::settings::Settings;

/// Serves `mcp` for every method; it refuses those that the protocol does not have.
pub(super) fn endpoint<S: ServerHandler + Clone>(mcp: Mcp<S>) -> MethodRouter<Arc<Settings>> {
    let mcp = Arc::new(mcp);
    any(move |call, request| answer(Arc::clone(&mcp), call, request))
}

async fn answer<S: ServerHandler + Clone>(
    mcp: Arc<Mcp<S>>,
    call: Call,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    // The body is in memory, and its size was checked before.
    let bytes = axum::body::to_bytes(body, LARGEST_REQUEST).await.map_err(|_| Problem::too_large(LARGEST_REQUEST))?;
    let mut request = Request::from_parts(parts, bytes);
    request.extensions_mut().insert(Caller { ports: call.ports(), user: call.user()? });
    Ok(mcp.answer(request).map(Body::from))
}
