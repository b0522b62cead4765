//! Reads what the request headers say: the bearer token, the media type.
//!
//! Never decides whether a token is valid.

use axum::http::{HeaderMap, HeaderName, header};

/// Returns the bearer token of the `Authorization` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = header_text(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Reports whether the `Content-Type` header declares a form.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let media_type = header_text(headers, &header::CONTENT_TYPE).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

pub(crate) fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
