//! Calls to the component's routes, in process.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use super::Ending;
use super::print::printable;
use crate::Host;

/// What the component answers to `GET path`.
pub(super) async fn get(host: &Host, path: &str) -> Result<Value, Ending> {
    call(host, Method::GET, path).await
}

/// What it answers, if that is a success; else its own words for what went
/// wrong and what to do.
pub(super) async fn call(host: &Host, method: Method, path: &str) -> Result<Value, Ending> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost")
        .header(header::ACCEPT, "application/json")
        .body(Full::new(Bytes::new()))
        .map_err(Ending::failed)?;
    let response = host.handle(request).await;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(Ending::failed)?.to_bytes();
    let answer: Value = serde_json::from_slice(&body).map_err(Ending::failed)?;
    if status == StatusCode::OK {
        return Ok(answer);
    }
    Err(Ending::Failed(text(&answer, "detail").unwrap_or_else(|| status.to_string())))
}

/// In the words of the command line: routes are for those who call them.
pub(super) fn text(value: &Value, member: &str) -> Option<String> {
    let text = printable(value.get(member)?.as_str()?);
    Some(text.replace(" at /auth/authorize", " with kroger-mcp login"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn where_a_route_is_named_the_command_is() {
        let answer = json!({"detail": "Kroger refused it; re-authenticate at /auth/authorize"});

        assert_eq!(
            text(&answer, "detail").as_deref(),
            Some("Kroger refused it; re-authenticate with kroger-mcp login")
        );
    }
}
