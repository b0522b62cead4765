//! The export `wasi:http/incoming-handler`: reads the request, lets the routes answer it, and writes the answer.
//! Decides nothing about the call.

use std::sync::Arc;

use axum::body::Bytes;
use http::header::HOST;

use super::bindings::exports::wasi::http::incoming_handler::Guest;
use super::bindings::wasi::http::types::{
    Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam, Scheme,
};
use super::bindings::wasi::io::streams::{OutputStream, StreamError};
use super::component::Component;
use super::instance::instance;
use super::ports::Wasi;
use crate::edge::{LARGEST_REQUEST, block_on};
use crate::http::{Malformed, Service};

const CHUNK: u64 = 64 * 1024;

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        answer(&instance().service, &request, out);
    }
}

/// Answers `request` by the routes of `service`.
pub fn answer(service: &Service, request: &IncomingRequest, out: ResponseOutparam) {
    let response = match read(request) {
        Ok(request) => block_on(service.serve(request, Arc::new(Wasi::new()))),
        Err(malformed) => service.refuse(malformed),
    };
    write(response, out);
}

fn read(incoming: &IncomingRequest) -> Result<http::Request<Bytes>, Malformed> {
    let mut request = http::Request::new(Bytes::new());
    *request.method_mut() = method(&incoming.method())?;
    *request.uri_mut() = uri(incoming)?;
    for (name, value) in incoming.headers().entries() {
        let name = http::HeaderName::from_bytes(name.as_bytes()).map_err(|_| Malformed)?;
        let value = http::HeaderValue::from_bytes(&value).map_err(|_| Malformed)?;
        request.headers_mut().append(name, value);
    }
    add_host(&mut request, incoming)?;
    if !matches!(*request.method(), http::Method::GET | http::Method::HEAD | http::Method::OPTIONS) {
        *request.body_mut() = body(incoming)?;
    }
    Ok(request)
}

/// Adds the header `Host`. `wasi:http` hides it and gives the authority of the request instead.
fn add_host(request: &mut http::Request<Bytes>, incoming: &IncomingRequest) -> Result<(), Malformed> {
    let Some(authority) = incoming.authority() else { return Ok(()) };
    let value = http::HeaderValue::try_from(authority).map_err(|_| Malformed)?;
    request.headers_mut().insert(HOST, value);
    Ok(())
}

fn method(method: &Method) -> Result<http::Method, Malformed> {
    Ok(match method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Delete => http::Method::DELETE,
        Method::Connect => http::Method::CONNECT,
        Method::Options => http::Method::OPTIONS,
        Method::Trace => http::Method::TRACE,
        Method::Patch => http::Method::PATCH,
        Method::Other(name) => http::Method::from_bytes(name.as_bytes()).map_err(|_| Malformed)?,
    })
}

/// Builds the URI, with scheme and authority if the host gives them.
fn uri(incoming: &IncomingRequest) -> Result<http::Uri, Malformed> {
    let path = incoming.path_with_query().unwrap_or_else(|| "/".to_owned());
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(path.try_into().map_err(|_| Malformed)?);
    if let Some(authority) = incoming.authority() {
        parts.scheme = Some(match incoming.scheme() {
            Some(Scheme::Https) => http::uri::Scheme::HTTPS,
            _ => http::uri::Scheme::HTTP,
        });
        parts.authority = Some(authority.try_into().map_err(|_| Malformed)?);
    }
    http::Uri::from_parts(parts).map_err(|_| Malformed)
}

fn body(incoming: &IncomingRequest) -> Result<Bytes, Malformed> {
    let body = incoming.consume().map_err(|()| Malformed)?;
    let bytes = read_stream(&body);
    drop(body);
    bytes
}

/// Reads to the first chunk past the limit, enough to report that the body is too large.
fn read_stream(body: &IncomingBody) -> Result<Bytes, Malformed> {
    let stream = body.stream().map_err(|()| Malformed)?;
    let mut bytes = Vec::new();
    while bytes.len() <= LARGEST_REQUEST {
        match stream.blocking_read(CHUNK) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return Err(Malformed),
        }
    }
    Ok(bytes.into())
}

/// Writes the answer. Ignores a client that went away: its call ran to its end.
fn write(response: http::Response<Bytes>, out: ResponseOutparam) {
    let (parts, bytes) = response.into_parts();
    let headers = Fields::new();
    for (name, value) in &parts.headers {
        // A host refuses some names. The routes set none of these.
        let _ = headers.append(name.as_str(), value.as_bytes());
    }
    let outgoing = OutgoingResponse::new(headers);
    let _ = outgoing.set_status_code(parts.status.as_u16());
    let body = outgoing.body();
    ResponseOutparam::set(out, Ok(outgoing));
    if let Ok(body) = body {
        let _ = write_body(&body, &bytes);
        let _ = OutgoingBody::finish(body, None);
    }
}

fn write_body(body: &OutgoingBody, bytes: &[u8]) -> Result<(), StreamError> {
    let Ok(stream) = body.write() else { return Ok(()) };
    write_stream(&stream, bytes)
}

fn write_stream(stream: &OutputStream, mut bytes: &[u8]) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let permitted = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
        if permitted == 0 {
            stream.subscribe().block();
            continue;
        }
        let (now, later) = bytes.split_at(permitted.min(bytes.len()));
        stream.write(now)?;
        bytes = later;
    }
    Ok(())
}
