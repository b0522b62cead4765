//! Carries out latency and faults around the stand-in's answers, and counts the endings.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hyper::body::Frame;

use crate::{
    call_counts::Ending,
    faults::{Action, Answer},
    sandbox::Sandbox,
};

const LONGEST_BODY: usize = 1 << 20;

/// Marks a response for which [`crate::serve`] closes the connection instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HangUp;

/// The layer around everything that imitates Kroger.
pub(crate) async fn disturb(State(sandbox): State<Sandbox>, request: Request, next: Next) -> Response {
    let Ok(request) = with_whole_body(request).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let (latency, action) = {
        let mut world = sandbox.world();
        let action = world.faults.meet(request.method(), request.uri().path());
        (world.kroger.settings.latency(), action)
    };
    let delay = match action {
        Some(Action::DelayMs(ms)) => Duration::from_millis(ms),
        _ => Duration::ZERO,
    };
    let answer = answer_and_count(sandbox, action, request, next);
    let wait = latency.saturating_add(delay);
    if wait.is_zero() {
        return answer.await;
    }
    // In a task of its own: a caller that hangs up while it waits does not undo its request,
    // as it would not at Kroger.
    let late = async move {
        tokio::time::sleep(wait).await;
        answer.await
    };
    let late = tokio::spawn(late).await;
    late.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Reads the body before anything is decided, so that a late or dropped call has been received.
async fn with_whole_body(request: Request) -> Result<Request, axum::Error> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, LONGEST_BODY).await?;
    Ok(Request::from_parts(head, body.into()))
}

async fn answer_and_count(sandbox: Sandbox, action: Option<Action>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = carry_out(action, request, next).await;
    let ending = match response.extensions().get() {
        Some(HangUp) => Ending::Dropped,
        None => Ending::Answered(response.status()),
    };
    sandbox.world().tally.count(&method, &path, ending);
    response
}

async fn carry_out(action: Option<Action>, request: Request, next: Next) -> Response {
    match action {
        Some(Action::DropBefore) => return hang_up(),
        Some(Action::Status(answer)) => return answer.into_response(),
        _ => {}
    }
    let response = next.run(request).await;
    match action {
        Some(Action::DropAfter) => hang_up(),
        Some(Action::StatusAfter(status)) => status.into_response(),
        Some(Action::Truncate) => truncated(response).await,
        Some(Action::Garbage) => garbage(),
        None | Some(Action::DelayMs(_) | Action::DropBefore | Action::Status(_)) => response,
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().extend(self.headers);
        response
    }
}

fn hang_up() -> Response {
    let mut response = Response::new(Body::new(CutShort::default()));
    response.extensions_mut().insert(HangUp);
    response
}

/// Half the body under a head that promises all of it. Where there is no body to halve, as in
/// a 204, no answer at all is what the caller would see of half a head.
async fn truncated(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    if body.is_empty() {
        return hang_up();
    }
    head.headers.insert(header::CONTENT_LENGTH, body.len().into());
    let half = CutShort { rest: Some(body.slice(..body.len() / 2)), flushed: false };
    Response::from_parts(head, Body::new(half))
}

/// What a captive portal says in a server's name.
fn garbage() -> Response {
    let page = "<!doctype html><title>Welcome</title><p>Accept the terms to use this Wi-Fi.";
    ([(header::CONTENT_TYPE, "text/html")], page).into_response()
}

/// A body that breaks off after `rest`, which aborts the connection.
#[derive(Default)]
struct CutShort {
    rest: Option<Bytes>,
    flushed: bool,
}

/// Why a body or a connection ends early.
#[derive(Debug)]
pub(crate) struct BrokenOff;

impl hyper::body::Body for CutShort {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(rest) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        // hyper flushes what it has before it polls again; an error at once would discard it.
        if !self.flushed {
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(BrokenOff)))
    }
}

impl std::fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken off on request")
    }
}

impl std::error::Error for BrokenOff {}

/// The response, or an error where the connection is to be closed without one.
pub(crate) fn or_hang_up(response: Result<Response, Infallible>) -> Result<Response, BrokenOff> {
    let Ok(response) = response;
    match response.extensions().get() {
        Some(HangUp) => Err(BrokenOff),
        None => Ok(response),
    }
}
