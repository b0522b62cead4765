//! `/mcp`: hands a request of the Model Context Protocol to [`Mcp`], with who
//! calls.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::Request;

use super::call::Call;
use super::problem::Problem;
use crate::edge::{Caller, LARGEST_REQUEST};
use crate::mcp::Mcp;

pub(super) async fn answer(mcp: Arc<Mcp>, call: Call, request: Request<Body>) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    // In memory, and of a size that was let in.
    let bytes = axum::body::to_bytes(body, LARGEST_REQUEST).await.map_err(|_| Problem::too_large())?;
    let mut request = Request::from_parts(parts, bytes);
    request.extensions_mut().insert(Caller { ports: call.ports(), user: call.user()? });
    Ok(mcp.answer(request).map(Body::from))
}
