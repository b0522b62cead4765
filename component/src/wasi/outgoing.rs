//! Sends one request to Kroger through `wasi:http/outgoing-handler`.
//!
//! One deadline and a size limit bound the exchange. It never follows a redirect and never sends twice. If the
//! request may have left, the outcome is `Unknown`.

use std::time::Duration;

use url::Url;

use super::bindings::wasi::clocks::monotonic_clock;
use super::bindings::wasi::http::outgoing_handler;
use super::bindings::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method as WasiMethod, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use super::bindings::wasi::io::poll::{Pollable, poll};
use super::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};
use super::clock::{monotonic_now, nanos};
use kroger_core::ports::{Method, Request, Response, SendError};

/// The largest answer that is read. Kroger's answers are far smaller.
const LARGEST_BODY: usize = 1024 * 1024;
const CHUNK: u64 = 64 * 1024;

/// Sends `request` to the authority of `base` and reads the whole answer.
pub(super) fn send(base: &Url, request: &Request, timeout: Duration) -> Result<Response, SendError> {
    let mut deadline = Deadline::after(timeout);
    let outgoing = outgoing(base, request).ok_or(SendError::NotSent)?;
    let body = outgoing.body().map_err(|()| SendError::NotSent)?;
    let answer = outgoing_handler::handle(outgoing, Some(options(timeout))).map_err(|error| sort(&error))?;
    // If the body cannot be sent, the answer says why.
    write_body(body, &request.body, &mut deadline);
    let response = wait(&answer, &mut deadline)?;
    Ok(Response {
        status: response.status(),
        retry_after: header(&response, "retry-after"),
        date: header(&response, "date"),
        body: read_body(&response, &mut deadline)?,
    })
}

/// Builds the request. `None` if the host refuses a part of it.
fn outgoing(base: &Url, request: &Request) -> Option<OutgoingRequest> {
    let headers = Fields::new();
    for (name, value) in &request.headers {
        headers.append(name, value.as_bytes()).ok()?;
    }
    if !request.body.is_empty() {
        headers.append("content-length", request.body.len().to_string().as_bytes()).ok()?;
    }
    let outgoing = OutgoingRequest::new(headers);
    outgoing.set_method(&method(request.method)).ok()?;
    outgoing.set_scheme(Some(&scheme(base))).ok()?;
    outgoing.set_authority(Some(base.authority())).ok()?;
    outgoing.set_path_with_query(Some(&request.path)).ok()?;
    Some(outgoing)
}

fn method(method: Method) -> WasiMethod {
    match method {
        Method::Get => WasiMethod::Get,
        Method::Post => WasiMethod::Post,
        Method::Put => WasiMethod::Put,
    }
}

fn scheme(base: &Url) -> Scheme {
    if base.scheme() == "https" { Scheme::Https } else { Scheme::Http }
}

/// Sets the timeouts. Connecting gets half of the time, so that a failed connection can be told from a missing
/// answer. A host may ignore these options.
fn options(timeout: Duration) -> RequestOptions {
    let options = RequestOptions::new();
    let _ = options.set_connect_timeout(Some(nanos(timeout / 2)));
    let _ = options.set_first_byte_timeout(Some(nanos(timeout)));
    let _ = options.set_between_bytes_timeout(Some(nanos(timeout)));
    options
}

fn write_body(body: OutgoingBody, bytes: &[u8], deadline: &mut Deadline) {
    let Ok(stream) = body.write() else { return };
    let written = write_until(&stream, bytes, deadline);
    drop(stream);
    if written.is_some() {
        let _ = OutgoingBody::finish(body, None);
    }
}

fn write_until(stream: &OutputStream, mut bytes: &[u8], deadline: &mut Deadline) -> Option<()> {
    while !bytes.is_empty() {
        let permitted = usize::try_from(stream.check_write().ok()?).unwrap_or(usize::MAX);
        if permitted == 0 {
            deadline.wait_for(&stream.subscribe())?;
            continue;
        }
        let (now, later) = bytes.split_at(permitted.min(bytes.len()));
        stream.write(now).ok()?;
        bytes = later;
    }
    Some(())
}

fn wait(answer: &FutureIncomingResponse, deadline: &mut Deadline) -> Result<IncomingResponse, SendError> {
    loop {
        match answer.get() {
            Some(Ok(result)) => return result.map_err(|error| sort(&error)),
            Some(Err(())) => return Err(SendError::Unknown),
            None => deadline.wait_for(&answer.subscribe()).ok_or(SendError::Unknown)?,
        }
    }
}

fn header(response: &IncomingResponse, name: &str) -> Option<String> {
    let value = response.headers().get(name).into_iter().next()?;
    String::from_utf8(value).ok()
}

fn read_body(response: &IncomingResponse, deadline: &mut Deadline) -> Result<Vec<u8>, SendError> {
    let body = response.consume().map_err(|()| SendError::Unknown)?;
    let stream = body.stream().map_err(|()| SendError::Unknown)?;
    read_until(&stream, deadline)
}

fn read_until(stream: &InputStream, deadline: &mut Deadline) -> Result<Vec<u8>, SendError> {
    let mut bytes = Vec::new();
    loop {
        match stream.read(CHUNK) {
            Ok(chunk) if chunk.is_empty() => deadline.wait_for(&stream.subscribe()).ok_or(SendError::Unknown)?,
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(_)) => return Err(SendError::Unknown),
        }
        if bytes.len() > LARGEST_BODY {
            return Err(SendError::Unknown);
        }
    }
}

/// The end of the exchange, by the monotonic clock.
struct Deadline {
    at: Duration,
    timer: Pollable,
}

impl Deadline {
    fn after(timeout: Duration) -> Self {
        let at = monotonic_now() + timeout;
        Self { at, timer: monotonic_clock::subscribe_instant(nanos(at)) }
    }

    /// Waits until `ready` is ready. `None` if the deadline comes first.
    ///
    /// A process that resumes long after the deadline was suspended. Its answer may have arrived meanwhile, so it
    /// gets a moment more. The answer to a refresh is the only copy of a sign-in.
    fn wait_for(&mut self, ready: &Pollable) -> Option<()> {
        const STOPPED: Duration = Duration::from_secs(1);
        const MOMENT: Duration = Duration::from_secs(2);

        let was_early = monotonic_now() < self.at;
        if poll(&[ready, &self.timer]).contains(&0) {
            return Some(());
        }
        if !was_early || monotonic_now() < self.at + STOPPED {
            return None;
        }
        *self = Self::after(MOMENT);
        poll(&[ready, &self.timer]).contains(&0).then_some(())
    }
}

/// Sorts an error by whether the request left. `NotSent` is only for errors that come before the first byte. A TLS
/// alert may come at any time, so it proves nothing.
fn sort(error: &ErrorCode) -> SendError {
    match error {
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpProhibited
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::HttpRequestDenied
        | ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::ConfigurationError => SendError::NotSent,
        _ => SendError::Unknown,
    }
}
