//! Kroger's wire forms: pure builders of requests and readers of answers.

pub mod endpoint;
pub mod token_response;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::item::Item;
use crate::ports::{Method, Request, Response, Timestamp};
use crate::secret::Secret;
use crate::settings::{Client, Scope, Settings};

const CART_ADD_PATH: &str = "/v1/cart/add";

/// The longest a `Retry-After` is believed.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// The page on which a person agrees (RFC 6749 § 4.1.1, RFC 7636 § 4.3).
pub fn authorization_url(settings: &Settings, client: &Client, scope: &Scope, state: &str, challenge: &str) -> Url {
    let mut url = settings.api_base_url.clone();
    url.set_path(&settings.authorize_path);
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &client.id)
        .append_pair("redirect_uri", settings.redirect_uri.as_str())
        .append_pair("scope", scope.as_str())
        .append_pair("state", state)
        .append_pair("code_challenge", challenge)
        .append_pair("code_challenge_method", "S256");
    url
}

/// RFC 6749 § 4.1.3 with RFC 7636 § 4.5.
pub fn code_request(
    token_path: &str,
    client: &Client,
    code: &Secret,
    redirect_uri: &str,
    verifier: &Secret,
) -> Request {
    token_request(
        token_path,
        client,
        &[
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier.expose()),
        ],
    )
}

/// RFC 6749 § 6.
pub fn refresh_request(token_path: &str, client: &Client, refresh_token: &Secret) -> Request {
    token_request(token_path, client, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())])
}

/// RFC 6749 § 4.4.2, with the one scope that an app has without a customer.
pub fn client_credentials_request(token_path: &str, client: &Client) -> Request {
    token_request(token_path, client, &[("grant_type", "client_credentials"), ("scope", "product.compact")])
}

/// A confidential client authenticates by Basic on every grant; a public one
/// names itself in the body and sends no `Authorization`.
fn token_request(token_path: &str, client: &Client, parameters: &[(&str, &str)]) -> Request {
    let mut form = Serializer::new(String::new());
    form.extend_pairs(parameters);
    let mut headers = vec![
        ("accept", "application/json".to_owned()),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
    ];
    match &client.secret {
        Some(secret) => {
            let pair = format!("{}:{}", client.id, secret.expose());
            headers.push(("authorization", format!("Basic {}", STANDARD.encode(pair))));
        }
        None => {
            form.append_pair("client_id", &client.id);
        }
    }
    Request { method: Method::Post, path: token_path.to_owned(), headers, body: form.finish().into_bytes() }
}

/// All `items` in one request: Kroger adds all or none.
pub fn cart_add_request(access_token: &Secret, items: &[Item]) -> Request {
    let items: Vec<Value> = items
        .iter()
        .map(|item| {
            json!({
                "upc": item.upc.as_str(),
                "quantity": item.quantity.get(),
                "modality": item.modality.as_str(),
            })
        })
        .collect();
    Request {
        method: Method::Put,
        path: CART_ADD_PATH.to_owned(),
        headers: vec![
            ("accept", "application/json".to_owned()),
            ("authorization", format!("Bearer {}", access_token.expose())),
            ("content-type", "application/json".to_owned()),
        ],
        body: json!({ "items": items }).to_string().into_bytes(),
    }
}

/// A read of `path` with `access_token`.
pub fn read_request(path: &str, access_token: &Secret) -> Request {
    Request {
        method: Method::Get,
        path: path.to_owned(),
        headers: vec![
            ("accept", "application/json".to_owned()),
            ("authorization", format!("Bearer {}", access_token.expose())),
        ],
        body: Vec::new(),
    }
}

/// What Kroger says is wrong, in whichever of its shapes it says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiError {
    /// `code`, or OAuth's `error`.
    pub code: String,
    /// `reason`, or OAuth's `error_description`.
    pub reason: String,
}

impl ApiError {
    /// Reads `{"errors":{code,reason}}`, the same bare, and OAuth's
    /// `{"error","error_description"}` bare or nested. None: not of Kroger's
    /// making.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(body).ok()?;
        let inner = match value.get("errors") {
            Some(Value::Array(errors)) => errors.first()?,
            Some(errors) => errors,
            None => &value,
        };
        let text = |names: [&str; 2]| {
            let found = names.iter().find_map(|name| inner.get(*name)?.as_str());
            found.map(printable).unwrap_or_default()
        };
        let error = Self { code: text(["code", "error"]), reason: text(["reason", "error_description"]) };
        (error != Self::default()).then_some(error)
    }
}

/// What may be shown of a text that a peer sent.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// `Retry-After` (RFC 9110 § 10.2.3), as seconds or as a date, which counts
/// from the answer's own `Date` where it has one.
pub fn retry_after(response: &Response, now: Timestamp) -> Option<Duration> {
    let text = response.retry_after.as_deref()?.trim();
    let wait = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let sent = response.date.as_deref().and_then(http_date).unwrap_or(now);
        http_date(text)?.since(sent)
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// A date of HTTP (RFC 9110 § 5.6.7).
pub fn http_date(text: &str) -> Option<Timestamp> {
    let zoned = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    u64::try_from(zoned.timestamp().as_second()).ok().map(Timestamp::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(retry_after: &str, date: Option<&str>) -> Response {
        Response {
            status: 429,
            retry_after: Some(retry_after.to_owned()),
            date: date.map(str::to_owned),
            body: Vec::new(),
        }
    }

    #[test]
    fn each_of_krogers_error_shapes_is_read() {
        let shapes = [
            (r#"{"errors":{"timestamp":1,"code":"C","reason":"R"}}"#, "C", "R"),
            (r#"{"timestamp":1,"code":"C","reason":"R"}"#, "C", "R"),
            (r#"{"error":"invalid_token","error_description":"D"}"#, "invalid_token", "D"),
            (r#"{"errors":{"error":"invalid_token","error_description":"D"}}"#, "invalid_token", "D"),
        ];
        for (body, code, reason) in shapes {
            let error = ApiError::parse(body.as_bytes()).unwrap();
            assert_eq!((error.code.as_str(), error.reason.as_str()), (code, reason));
        }
        for body in ["", "<html>", "[]", "{}", "\"x\"", "{\"errors\":[]}"] {
            assert_eq!(ApiError::parse(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn a_peers_text_is_cut_and_cleaned_before_anyone_sees_it() {
        let body = format!(r#"{{"code":"a\u001b[31m","reason":"{}"}}"#, "x".repeat(5_000));

        let error = ApiError::parse(body.as_bytes()).unwrap();

        assert_eq!(error.code, "a[31m");
        assert_eq!(error.reason.len(), 200);
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date_and_is_bounded() {
        let now = Timestamp::from_secs(1_000);
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");

        let waits = [
            (response("7", None), Some(7)),
            (response("Sun, 06 Nov 1994 08:49:47 GMT", date), Some(10)),
            (response("Sun, 06 Nov 1994 08:49:27 GMT", date), Some(0)),
            (response("Thu, 01 Jan 1970 00:16:45 GMT", None), Some(5)),
            (response("99999999", None), Some(3_600)),
            (response("soon", None), None),
            (response("-1", None), None),
        ];
        for (response, seconds) in waits {
            assert_eq!(retry_after(&response, now), seconds.map(Duration::from_secs), "{:?}", response.retry_after);
        }
    }

    #[test]
    fn a_public_client_names_itself_in_the_body_and_sends_no_authorization() {
        let public = Client { id: "app".to_owned(), secret: None };
        let confidential = Client { id: "app".to_owned(), secret: Some(Secret::new("s")) };

        let from_public = refresh_request("/token", &public, &Secret::new("r+1"));
        let from_confidential = refresh_request("/token", &confidential, &Secret::new("r+1"));

        assert_eq!(from_public.body, b"grant_type=refresh_token&refresh_token=r%2B1&client_id=app");
        assert!(!from_public.headers.iter().any(|(name, _)| *name == "authorization"));
        assert_eq!(from_confidential.body, b"grant_type=refresh_token&refresh_token=r%2B1");
        assert!(from_confidential.headers.contains(&("authorization", "Basic YXBwOnM=".to_owned())));
    }
}
