//! The Host and Origin checks of every route, and CORS. Decides which callers may call, and never which user they act
//! for.
//!
//! A web page can make its own host name resolve to this machine (DNS rebinding). It still sends that name as `Host`.
//! A page of another origin sends its `Origin`. Both are refused unless the operator allows them.
//!
//! A page of another site may send a person here without `Origin`, as Kroger's redirect to `/auth/callback` does. It
//! may not fetch in the background, as an image or a frame does. Browsers mark the difference (Fetch Metadata). Other
//! callers without `Origin` are programs.
//!
//! `/livez` answers under any host name: a probe may not know ours.

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, HOST, ORIGIN, VARY,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use url::{Origin, Url};

use super::problem::Problem;
use kroger_core::settings::Settings;
use kroger_core::text::cleaned;

const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Content-Type, Idempotency-Key, X-Kroger-User, Mcp-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name",
);
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static("Idempotent-Replayed, Retry-After, Mcp-Session-Id");
const A_DAY: HeaderValue = HeaderValue::from_static("86400");
const HOW_TO_ALLOW: &str = "If this caller is trusted, add its origin to KROGER_ALLOWED_ORIGINS, such as \
     KROGER_ALLOWED_ORIGINS=http://kroger-mcp:9004.";

/// The hosts and origins that may call.
pub(super) struct Known {
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// A caller that passed the checks.
pub(super) struct Admitted {
    /// The origin of a web page, for CORS. Programs have none.
    origin: Option<HeaderValue>,
}

impl Known {
    pub(super) fn new(settings: &Settings) -> Self {
        let redirect_origin = settings.redirect_uri.origin().ascii_serialization();
        let mut origins = settings.allowed_origins.clone();
        origins.push(redirect_origin);
        let host = |origin: &String| Some(Url::parse(origin).ok()?.host_str()?.to_owned());
        Self { hosts: origins.iter().filter_map(host).collect(), origins }
    }

    pub(super) fn admit(&self, request: &Request<Bytes>) -> Result<Admitted, Problem> {
        let host = request.headers().get(HOST);
        self.check_host(host, request.uri().path())?;
        let Some(origin) = request.headers().get(ORIGIN) else {
            return if is_fetched_by_another_site(request.headers()) {
                Err(Problem::forbidden_origin("A page of another site may not fetch from this server.", HOW_TO_ALLOW))
            } else {
                Ok(Admitted { origin: None })
            };
        };
        if !self.is_known(origin) && !is_same(origin, request.uri().scheme_str(), host) {
            let detail = format!("The origin {} may not call this server.", printable(origin));
            return Err(Problem::forbidden_origin(detail, HOW_TO_ALLOW));
        }
        Ok(Admitted { origin: Some(origin.clone()) })
    }

    fn check_host(&self, host: Option<&HeaderValue>, path: &str) -> Result<(), Problem> {
        if path == "/livez" {
            return Ok(());
        }
        let Some(host) = host else {
            return Err(Problem::forbidden_origin("The request has no Host.", "Send the header `Host`."));
        };
        let name = host.to_str().ok().and_then(host_name);
        if name.is_some_and(|name| is_loopback(&name) || self.hosts.contains(&name)) {
            return Ok(());
        }
        let detail = format!("This server is not known by the name {}.", printable(host));
        Err(Problem::forbidden_origin(detail, HOW_TO_ALLOW))
    }

    fn is_known(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.origins.iter().any(|known| known == origin))
    }
}

/// Whether a browser says that a page of another site sends this, for something other than opening a page.
fn is_fetched_by_another_site(headers: &HeaderMap) -> bool {
    let is = |name, value| headers.get(name).is_some_and(|given: &HeaderValue| given == value);
    let is_of_another = is("sec-fetch-site", "cross-site") || is("sec-fetch-site", "same-site");
    let is_followed = is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document");
    is_of_another && !is_followed
}

/// The name in `host`, in lower case and without the port.
fn host_name(host: &str) -> Option<String> {
    let authority: Authority = host.parse().ok()?;
    let has_user = authority.as_str().contains('@');
    (!has_user).then(|| authority.host().to_ascii_lowercase())
}

fn is_loopback(name: &str) -> bool {
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

/// Whether `origin` equals the origin of the request's own address.
fn is_same(origin: &HeaderValue, scheme: Option<&str>, host: Option<&HeaderValue>) -> bool {
    let (Some(host), Ok(origin)) = (host.and_then(|host| host.to_str().ok()), origin.to_str()) else { return false };
    let own = Url::parse(&format!("{}://{host}", scheme.unwrap_or("http"))).map(|url| url.origin());
    let its = Url::parse(origin).map(|url| url.origin());
    matches!((own, its), (Ok(own @ Origin::Tuple(..)), Ok(its)) if own == its)
}

fn printable(value: &HeaderValue) -> String {
    cleaned(&String::from_utf8_lossy(value.as_bytes()), 100)
}

impl Admitted {
    /// Answers `OPTIONS` for a route that takes the methods in `allow`. A page also gets the headers of a CORS
    /// preflight.
    pub(super) fn preflight(&self, allow: &str) -> Response {
        let methods: Vec<&str> = allow.split(',').map(str::trim).chain(["OPTIONS"]).collect();
        let Ok(methods) = HeaderValue::try_from(methods.join(", ")) else {
            return Problem::malformed().into_response();
        };
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        if self.origin.is_some() {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods.clone());
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, A_DAY);
        }
        headers.insert(ALLOW, methods);
        response
    }

    /// Lets the caller's page read the answer. No other page may.
    pub(super) fn sign(self, headers: &mut HeaderMap) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = self.origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        }
    }
}
