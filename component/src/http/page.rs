//! The two pages that a person sees at the end of a sign-in. They load nothing,
//! run nothing, and show neither code nor state.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};

use super::problem::Problem;

const FRAME: &str = include_str!("page.html");
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn signed_in(user_id: &str, is_stored: bool) -> Response {
    let saved = if is_stored {
        "<p>The sign-in is saved and renews itself from now on, so your assistant can add to your cart.</p>"
    } else {
        "<p>The sign-in works, but it could not be saved yet: it is kept in memory until the disk can be written.</p>"
    };
    let text = format!(
        "<p>The Kroger account is now connected for <strong>{}</strong>.</p>\n{saved}\n<p>You can close this page.</p>",
        escaped(user_id)
    );
    page(StatusCode::OK, "You are signed in", &text)
}

pub(super) fn failed(problem: &Problem) -> Response {
    let text = format!(
        "<p>{}</p>\n<p>{}</p>\n<p>If this server is yours alone, you can <a href=\"/auth/authorize\">sign in again</a> here; \
         otherwise ask your assistant for a new link.</p>",
        escaped(problem.detail()),
        escaped(problem.next_step())
    );
    page(problem.status(), "The sign-in did not work", &text)
}

fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let headers: [(HeaderName, HeaderValue); 3] = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    (status, headers, FRAME.replace("{title}", title).replace("{text}", text)).into_response()
}

/// Safe in text and in a quoted attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(c),
        }
    }
    safe
}
