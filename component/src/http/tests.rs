//! Calls the routes as a caller does, in a world of their own.

mod admin;
mod answers;
mod attacks;
mod callers;
mod cart;
mod catalog;
mod contract;
mod failures;
mod keyed_adds;
mod openapi;
mod overview;
mod sign_in;
mod signed_out;
mod status;
mod validation;
mod words;

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use kroger_core::Context as Cx;
use kroger_core::grant::{outside_pair, records};
use kroger_core::ports::{Bucket, SendError};
use kroger_core::service::maintenance;
use kroger_core::sign_in::sign_out;
use kroger_core::testing::{StoreMood, TestWorld};
use kroger_core::user::UserId;

const UPC: &str = "0001111041700";
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const NETWORK_ERROR: &str = "Token refresh failed after 3 attempts.\n\n\
    Action required:\n1. Check network connectivity\n2. If network is OK, user needs to re-authenticate";

/// A status and a body.
type KrogersAnswer = Result<(u16, &'static str), SendError>;

/// A server on `localhost:9004`, in a world of its own.
struct Server {
    world: Arc<TestWorld>,
    service: Service,
    settings: Arc<Settings>,
}

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Status and code of a well-formed problem.
    #[track_caller]
    fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        let code = problem["code"].as_str().unwrap().to_owned();
        assert_eq!(problem["type"], format!("urn:kroger-mcp:{code}"));
        assert!(problem["title"].is_string() && problem["detail"].is_string() && problem["retryable"].is_boolean());
        let retry_after = problem["retry_after"].as_u64().map(|seconds| seconds.to_string());
        assert_eq!(self.header("retry-after"), retry_after.unwrap_or_default());
        (self.status, code)
    }

    #[track_caller]
    fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap().to_owned()
    }
}

fn server() -> Server {
    server_with(&[("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "canary-secret")])
}

fn server_with(variables: &[(&str, &str)]) -> Server {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings = Arc::new(Settings::from_variables(variables).unwrap());
    let world = Arc::new(TestWorld::new().with_optional_buckets());
    Server { world, service: Service::new(Ok(Arc::clone(&settings))), settings }
}

/// A server with `user_default` signed in, for 1,800 seconds.
fn signed_in() -> Server {
    let server = server();
    server.sign_in("/auth/authorize");
    server
}

impl Server {
    fn send(&self, request: Request<Bytes>) -> Answer {
        let world: SharedPorts = self.world.clone();
        let response = block_on(self.service.serve(request, world));
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    fn call_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://localhost:9004{path}"));
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "localhost:9004");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap())
    }

    fn get(&self, path: &str) -> Answer {
        self.call_with("GET", path, &[], "")
    }

    fn put(&self, path: &str, body: &Value) -> Answer {
        self.call_with("PUT", path, &[("content-type", "application/json")], &body.to_string())
    }

    fn state(&self, authorize: &str) -> String {
        self.get(authorize).json()["state"].as_str().unwrap().to_owned()
    }

    fn sign_in(&self, authorize: &str) -> Answer {
        let state = self.state(authorize);
        self.world.answer_with_tokens("canary-access-1", "canary-refresh-1");
        self.get(&format!("/auth/callback?code=canary-code&state={state}"))
    }

    fn context(&self) -> Cx<'_> {
        Cx { settings: &self.settings, ports: &*self.world }
    }

    /// The paths of the requests to Kroger, without sign-ins.
    fn sent_paths(&self) -> Vec<String> {
        self.world.sent().into_iter().map(|request| request.path).filter(|path| path.contains("cart")).collect()
    }
}
