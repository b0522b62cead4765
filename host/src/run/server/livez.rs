//! `/livez`, answered without an instance. A process whose callers hold all instances still lives,
//! and a probe must not restart it.
//!
//! The answer has the same headers as the component's. The component answers requests that need a
//! decision: from a page, with a body, with another method.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ORIGIN, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Body;

pub(super) const PATH: &str = "/livez";

const BODY: &str = r#"{"status":"alive"}"#;

const HEADERS: [(HeaderName, &str); 4] = [
    (CONTENT_TYPE, "application/json"),
    (CACHE_CONTROL, "no-store"),
    (VARY, "Origin"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// Whether the request is a plain probe, and not from a page in a browser.
pub(super) fn is_plain<B: Body>(request: &Request<B>) -> bool {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_of_a_page = request.headers().keys().any(|name| *name == ORIGIN || name.as_str().starts_with("sec-fetch-"));
    request.uri().path() == PATH && is_read && !is_of_a_page && request.body().is_end_stream()
}

pub(super) fn alive(method: &Method) -> Response<Full<Bytes>> {
    let body = if method == Method::HEAD { "" } else { BODY };
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
