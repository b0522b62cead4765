//! One call, as every route reads it: its query, its user and the form of answer that it prefers. Also writes JSON
//! answers. Never reads the body.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, COOKIE, HOST};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use serde_json::Value;
use url::form_urlencoded;

use super::problem::Problem;
use crate::edge::SharedPorts;
use crate::fields::{Field, Place};
use kroger_core::Context;
use kroger_core::cart::ledger::IdempotencyKey;
use kroger_core::settings::Settings;
use kroger_core::user::UserId;

const USER_HEADER: &str = "x-kroger-user";
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The parts of a call that a route reads besides the body.
pub(super) struct Call {
    settings: Arc<Settings>,
    ports: SharedPorts,
    query: Option<String>,
    headers: HeaderMap,
}

impl FromRequestParts<Arc<Settings>> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, settings: &Arc<Settings>) -> Result<Self, Problem> {
        Ok(Self {
            settings: Arc::clone(settings),
            ports: parts.extensions.get::<SharedPorts>().ok_or_else(Problem::malformed)?.clone(),
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers.clone(),
        })
    }
}

impl Call {
    pub(super) fn context(&self) -> Context<'_> {
        Context { settings: &self.settings, ports: &*self.ports }
    }

    pub(super) fn ports(&self) -> SharedPorts {
        Arc::clone(&self.ports)
    }

    /// The query parameter `name`. An empty one counts as absent.
    pub(super) fn parameter(&self, name: &str) -> Result<Option<Cow<'_, str>>, Problem> {
        Ok(self.given(name)?.filter(|value| !value.is_empty()))
    }

    /// Reads the query parameter `name` as the type of the field. Refuses an empty one unless the type takes it.
    pub(super) fn read<T: Field>(&self, name: &str) -> Result<T, Problem> {
        let value = self.given(name)?.map(|text| Value::from(text.into_owned()));
        Ok(T::read(value, &Place::query().field(name))?)
    }

    /// The query parameter `name`, even if it is empty.
    pub(super) fn given(&self, name: &str) -> Result<Option<Cow<'_, str>>, Problem> {
        let Some(query) = &self.query else { return Ok(None) };
        let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
        let Some((_, value)) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Problem::invalid_argument(name, "it is given more than once; give it once"));
        }
        // The parser turns bytes that are not UTF-8 into replacement characters.
        if value.contains('\u{fffd}') {
            return Err(Problem::invalid_argument(name, "UTF-8, percent-encoded"));
        }
        Ok(Some(value))
    }

    /// The user of the call: the header or the parameter names the user, else it is the default user.
    pub(super) fn user(&self) -> Result<UserId, Problem> {
        let in_query = self.parameter("user_id")?;
        match (self.user_header()?, in_query.as_deref()) {
            (Some(header), Some(query)) if header != query => Err(Problem::invalid_argument(
                "user_id",
                "it differs from the header X-Kroger-User; name one user, or name them alike",
            )),
            (Some(id), _) => user("X-Kroger-User", id),
            (None, Some(id)) => user("user_id", id),
            (None, None) => Ok(self.settings.default_user.clone()),
        }
    }

    fn user_header(&self) -> Result<Option<&str>, Problem> {
        self.header(USER_HEADER, "X-Kroger-User")
    }

    /// The key by which the caller can repeat this add safely.
    pub(super) fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Problem> {
        let Some(text) = self.header(IDEMPOTENCY_KEY, IDEMPOTENCY_KEY)? else { return Ok(None) };
        let key = IdempotencyKey::parse(text).map_err(|allowed| Problem::invalid_argument(IDEMPOTENCY_KEY, allowed))?;
        Ok(Some(key))
    }

    fn header(&self, name: &str, shown: &str) -> Result<Option<&str>, Problem> {
        let refused = |allowed| Problem::invalid_argument(shown, allowed);
        let mut values = self.headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(refused("it is given more than once; give it once"));
        }
        std::str::from_utf8(value.as_bytes()).map(Some).map_err(|_| refused("UTF-8"))
    }

    /// The cookie `name`.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        let texts = self.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Whether the caller is a browser that opens a page. Browsers of today say so themselves (Fetch Metadata).
    pub(super) fn opens_page(&self) -> bool {
        self.prefers_page() || self.headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
    }

    /// Whether a page of another site sent the browser here.
    pub(super) fn is_sent_by_another_site(&self) -> bool {
        self.headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site")
    }

    /// Whether the browser calls this server by the name to which Kroger sends it back. A cookie goes to that name.
    pub(super) fn is_at_redirect_host(&self) -> bool {
        let host = self.headers.get(HOST).and_then(|host| host.to_str().ok());
        let authority = host.and_then(|host| host.parse::<Authority>().ok());
        authority.is_some_and(|host| self.settings.redirect_uri.host_str() == Some(&host.host().to_ascii_lowercase()))
    }

    /// Whether a person sees the answer: a browser prefers HTML.
    pub(super) fn prefers_page(&self) -> bool {
        let accept = self.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let html = quality(accept, &["text/html"]);
        html > 0.0 && html > quality(accept, &["application/json", "application/problem+json"])
    }
}

/// Reads the id of a user. The problem names `field` and what is allowed.
pub(super) fn user(field: &str, id: &str) -> Result<UserId, Problem> {
    UserId::parse(id).map_err(|allowed| Problem::invalid_argument(field, allowed))
}

/// The highest weight that `accept` gives to one of `types` by name (RFC 9110 § 12.5.1); 0 if it names none.
fn quality(accept: &str, types: &[&str]) -> f32 {
    let mut highest: f32 = 0.0;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().unwrap_or_default();
        if types.iter().any(|known| known.eq_ignore_ascii_case(named)) {
            let weight = parts.find_map(|parameter| parameter.strip_prefix("q=")?.parse().ok());
            highest = highest.max(weight.unwrap_or(1.0));
        }
    }
    highest
}

/// Answers 200 with `value` as JSON. No cache may keep it.
pub(super) fn json(value: &impl Serialize) -> Response {
    let body = serde_json::to_vec(value).expect("answers have string keys and no failing parts");
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browser_prefers_a_page_and_program_does_not() {
        let page = |accept: &str| {
            let html = quality(accept, &["text/html"]);
            html > 0.0 && html > quality(accept, &["application/json", "application/problem+json"])
        };

        assert!(page("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(page("application/json;q=0.5, Text/HTML"));
        for program in ["", "*/*", "application/json", "application/json, text/html;q=0.9", "text/html;q=0"] {
            assert!(!page(program), "{program}");
        }
    }
}
