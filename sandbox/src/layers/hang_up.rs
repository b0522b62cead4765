//! Closes a connection without an answer, or in the middle of one.
//!
//! Marks the response; the server then closes the connection. Never decides which call meets it.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::header,
    response::Response,
};
use hyper::body::Frame;

/// Marks a response in whose place the server closes the connection.
#[derive(Clone, Copy, Debug)]
struct HangUp;

/// Makes a response in whose place the server closes the connection.
pub(crate) fn hang_up() -> Response {
    let mut response = Response::new(Body::new(CutShort::default()));
    response.extensions_mut().insert(HangUp);
    response
}

pub(crate) fn is_hang_up(response: &Response) -> bool {
    response.extensions().get::<HangUp>().is_some()
}

/// Returns the response, or an error if the connection must be closed without one.
pub(crate) fn or_hang_up(response: Result<Response, Infallible>) -> Result<Response, BrokenOff> {
    let Ok(response) = response;
    if is_hang_up(&response) { Err(BrokenOff) } else { Ok(response) }
}

/// Sends half of the body under a head that promises all of it.
///
/// An answer without a body, such as a 204, cannot be halved. The caller of half a head would see
/// no answer at all, so the connection is closed.
pub(crate) async fn truncated(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    if body.is_empty() {
        return hang_up();
    }
    head.headers.insert(header::CONTENT_LENGTH, body.len().into());
    let half = CutShort { rest: Some(body.slice(..body.len() / 2)), flushed: false };
    Response::from_parts(head, Body::new(half))
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
        // hyper flushes what it has before it polls again. An error at once would discard that.
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
