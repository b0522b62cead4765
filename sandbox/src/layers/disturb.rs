//! Carries out latency and faults, and counts how calls end.
//!
//! Never decides which call meets a fault: `faults` does.

use std::time::Duration;

use axum::{
    body::to_bytes,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::hang_up::{hang_up, is_hang_up, truncated};
use crate::{
    call_counts::CallEnding,
    faults::action::{CannedAnswer, FaultAction},
    sandbox::Sandbox,
};

const LONGEST_BODY: usize = 1 << 20;

pub(crate) async fn disturb(State(sandbox): State<Sandbox>, request: Request, next: Next) -> Response {
    let Ok(request) = with_whole_body(request).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let (latency, action) = {
        let mut state = sandbox.lock();
        let action = state.faults.meet(request.method(), request.uri().path());
        (state.call_settings.latency(), action)
    };
    let delay = match action {
        Some(FaultAction::DelayMs(ms)) => Duration::from_millis(ms),
        _ => Duration::ZERO,
    };
    let answer = answer_and_count(sandbox, action, request, next);
    late(latency.saturating_add(delay), answer).await
}

/// Waits, then runs `answer` in a task of its own.
///
/// A caller that hangs up during the wait does not undo its request, as at Kroger.
async fn late(wait: Duration, answer: impl Future<Output = Response> + Send + 'static) -> Response {
    if wait.is_zero() {
        return answer.await;
    }
    let late = tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        answer.await
    });
    late.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Reads the whole body before anything is decided, so that a late or dropped call was received.
async fn with_whole_body(request: Request) -> Result<Request, axum::Error> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, LONGEST_BODY).await?;
    Ok(Request::from_parts(head, body.into()))
}

async fn answer_and_count(sandbox: Sandbox, action: Option<FaultAction>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = carry_out(action, request, next).await;
    let ending = if is_hang_up(&response) { CallEnding::Dropped } else { CallEnding::Answered(response.status()) };
    sandbox.lock().call_counts.count(&method, &path, ending);
    response
}

async fn carry_out(action: Option<FaultAction>, request: Request, next: Next) -> Response {
    match action {
        Some(FaultAction::DropBefore) => return hang_up(),
        Some(FaultAction::Status(answer)) => return answer.into_response(),
        _ => {}
    }
    let response = next.run(request).await;
    match action {
        Some(FaultAction::DropAfter) => hang_up(),
        Some(FaultAction::StatusAfter(status)) => status.into_response(),
        Some(FaultAction::Truncate) => truncated(response).await,
        Some(FaultAction::Garbage) => garbage(),
        None | Some(FaultAction::DelayMs(_) | FaultAction::DropBefore | FaultAction::Status(_)) => response,
    }
}

impl IntoResponse for CannedAnswer {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().extend(self.headers);
        response
    }
}

/// Answers as a captive portal does in the place of a server.
fn garbage() -> Response {
    let page = "<!doctype html><title>Welcome</title><p>Accept the terms to use this Wi-Fi.";
    ([(header::CONTENT_TYPE, "text/html")], page).into_response()
}
