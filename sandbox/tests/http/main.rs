//! The sandbox over a real socket, seen byte by byte.

mod catalog;
mod client;

use std::{net::SocketAddr, thread, time::Duration, time::Instant};

use client::{Reply, call};
use kroger_sandbox::{Sandbox, serve};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};

const BASIC: &str = "authorization: Basic c2FuZGJveC1jbGllbnQ6c2FuZGJveC1zZWNyZXQ=";
const FORM: &str = "content-type: application/x-www-form-urlencoded";
const CALLBACK: &str = "http%3A%2F%2Flocalhost%3A9004%2Fauth%2Fcallback";
const MILK: &str = r#"{"items":[{"upc":"0001111041700","quantity":2}]}"#;
const TOKEN: &str = "/v1/connect/oauth2/token";
const ADD: &str = "/v1/cart/add";

/// A sandbox on a port of its own, which stops when the test ends.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    fn start() -> Self {
        let (stop, stopped) = oneshot::channel();
        let (ready, address) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                ready.send(listener.local_addr().unwrap()).unwrap();
                let stop = async { drop(stopped.await) };
                serve(listener, Sandbox::default(), stop).await.unwrap();
            });
        });
        let address = address.recv().unwrap();
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    fn call(&self, head: &str, body: &str) -> Reply {
        call(self.address, head, body)
    }

    fn get(&self, path: &str) -> Reply {
        self.call(&format!("GET {path}"), "")
    }

    fn state(&self) -> Value {
        self.get("/_sandbox/state").json()
    }

    fn post(&self, path: &str, body: &Value) -> Reply {
        self.call(&format!("POST /_sandbox/{path}"), &body.to_string())
    }

    fn fault(&self, fault: &Value) {
        assert_eq!(self.post("faults", &json!([fault])).status(), Some(200));
    }

    fn token(&self, form: &str) -> Reply {
        self.call(&format!("POST {TOKEN}\n{BASIC}\n{FORM}"), form)
    }

    fn authorize(&self, extra: &str) -> Reply {
        self.get(&format!("{}{extra}", authorize_path("cart.basic%3Awrite%20profile.compact")))
    }

    /// Signs alice in; answers the token response.
    fn sign_in(&self) -> Value {
        let reply = self.authorize("&sandbox_user=alice&sandbox_decision=allow");
        let location = reply.header("location").unwrap();
        let code = location.split_once("code=").unwrap().1.split('&').next().unwrap();
        let form = format!("grant_type=authorization_code&code={code}&redirect_uri={CALLBACK}");
        self.token(&form).json()
    }

    fn refresh(&self, pair: &Value) -> Reply {
        let refresh_token = pair["refresh_token"].as_str().unwrap();
        self.token(&format!("grant_type=refresh_token&refresh_token={refresh_token}"))
    }

    fn add(&self, pair: &Value, body: &str) -> Reply {
        self.call(&add_head(pair), body)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
        self.thread.take().map(thread::JoinHandle::join);
    }
}

fn authorize_path(scope: &str) -> String {
    format!(
        "/v1/connect/oauth2/authorize?client_id=sandbox-client&redirect_uri={CALLBACK}\
         &response_type=code&state=s1&scope={scope}"
    )
}

fn add_head(pair: &Value) -> String {
    format!("PUT {ADD}\nauthorization: Bearer {}", pair["access_token"].as_str().unwrap())
}

fn error_texts(reply: &Reply) -> (Option<u16>, String, String) {
    let body = reply.json();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (reply.status(), text("error"), text("error_description"))
}

#[test]
fn a_page_of_another_site_may_not_change_the_sandbox() {
    let sandbox = Running::start();
    let revoke = |site: &str| {
        sandbox.call(&format!("POST /_sandbox/revoke\nsec-fetch-site: {site}"), r#"{"user":"alice"}"#).status()
    };

    assert_eq!(revoke("cross-site"), Some(403));
    assert_eq!(revoke("same-origin"), Some(200));
}

#[test]
fn a_customer_signs_in_refreshes_and_adds() {
    let sandbox = Running::start();
    let first = sandbox.sign_in();
    assert_eq!(first["token_type"], "bearer");
    assert_eq!(first["expires_in"], 1800);
    assert_eq!(first["scope"], "cart.basic:write profile.compact");
    let second = sandbox.refresh(&first).json();
    let added = sandbox.add(&second, MILK);
    assert_eq!((added.status(), added.body.as_str()), (Some(204), ""));
    sandbox.add(&second, MILK);
    let state = sandbox.state();
    let milk = json!([{"upc": "0001111041700", "quantity": 4, "modality": "PICKUP"}]);
    assert_eq!(state["carts"], json!({"alice": milk}));
    assert_eq!(state["token_requests"]["refresh_token"], json!({"ok": 1, "refused": 0}));
    assert_eq!(state["calls"]["PUT /v1/cart/add"], json!({"204": 2}));
    assert_eq!(state["calls"]["GET /v1/connect/oauth2/authorize"], json!({"302": 1}));
}

#[test]
fn a_fresh_state_has_every_key() {
    let zero = json!({"ok": 0, "refused": 0});
    let expected = json!({
        "token_requests":
            {"authorization_code": zero, "client_credentials": zero, "refresh_token": zero},
        "spent_refresh_tokens_presented": 0,
        "calls": {},
        "carts": {},
        "quotas": {},
    });
    assert_eq!(Running::start().state(), expected);
}

#[test]
fn token_refusals_are_krogers_flat_bodies() {
    let sandbox = Running::start();
    let refused = |form: &str, status: u16, error: &str, description: &str| {
        let expected = (Some(status), error.to_owned(), description.to_owned());
        assert_eq!(error_texts(&sandbox.token(form)), expected);
    };
    refused("grant_type=refresh_token&refresh_token=x", 400, "invalid_request", "invalid refresh_token");
    refused("grant_type=authorization_code&code=x", 400, "invalid_request", "invalid code");
    refused("grant_type=client_credentials&scope=x", 400, "invalid_scope", "invalid scope");
    refused("grant_type=password", 400, "unsupported_grant_type", "invalid grant_type");
    let requests = &sandbox.state()["token_requests"];
    assert_eq!(requests["refresh_token"], json!({"ok": 0, "refused": 1}));
    assert_eq!(requests["other"], json!({"ok": 0, "refused": 1}));
}

#[test]
fn credentials_belong_in_the_header_and_the_request_in_a_form() {
    let sandbox = Running::start();
    let grant = "grant_type=client_credentials";
    let in_body = format!("{grant}&client_id=sandbox-client&client_secret=sandbox-secret");
    let in_body = sandbox.call(&format!("POST {TOKEN}\n{FORM}"), &in_body);
    assert_eq!(in_body.status(), Some(401));
    let wrong = sandbox.call(&format!("POST {TOKEN}\n{FORM}\nauthorization: Basic eDp5"), grant);
    let expected = (Some(400), "unauthorized".to_owned(), "invalid credentials".to_owned());
    assert_eq!(error_texts(&wrong), expected);
    let json = sandbox.call(&format!("POST {TOKEN}\n{BASIC}\ncontent-type: application/json"), grant);
    assert_eq!(error_texts(&json).1, "unsupported_grant_type");
    let granted = sandbox.token(grant);
    assert_eq!(granted.header("cache-control"), Some("no-store"));
    assert!(granted.json().get("refresh_token").is_none());
}

#[test]
fn a_redirect_uri_that_differs_from_the_authorization_is_refused_in_krogers_words() {
    let sandbox = Running::start();
    let reply = sandbox.authorize("&sandbox_user=alice&sandbox_decision=allow");
    let location = reply.header("location").unwrap();
    let code = location.split_once("code=").unwrap().1.split('&').next().unwrap();
    let form = format!("grant_type=authorization_code&code={code}&redirect_uri=http%3A%2F%2Fx");
    let (status, error, description) = error_texts(&sandbox.token(&form));
    assert_eq!((status, error.as_str()), (Some(400), "invalid_request"));
    let words = "The redirect_uri did not match the registered redirect_uri for this application";
    assert_eq!(description, words);
}

#[test]
fn the_customer_denies() {
    let sandbox = Running::start();
    let reply = sandbox.authorize("&sandbox_decision=deny");
    assert_eq!(reply.status(), Some(302));
    let location = reply.header("location").unwrap();
    assert!(location.starts_with("http://localhost:9004/auth/callback?error=access_denied&error_desc"));
    assert!(location.ends_with("&state=s1"));
}

#[test]
fn a_person_chooses_on_the_consent_page_and_the_typed_name_wins() {
    let sandbox = Running::start();
    let path = authorize_path("cart.basic%3Awrite");
    let page = sandbox.get(&path);
    assert_eq!(page.status(), Some(200));
    assert!(page.body.contains("Add items to your cart"));
    let form = "customer=bob&name=+dora+&decision=allow";
    let decided = sandbox.call(&format!("POST {path}\n{FORM}"), form);
    assert_eq!(decided.status(), Some(302));
    assert!(decided.header("location").unwrap().contains("?code="));
    let front = sandbox.get("/").body;
    assert!(front.contains("<h3>dora</h3>") && front.contains("<h3>bob</h3>"));
}

#[test]
fn a_decision_without_a_name_or_with_an_unknown_word_is_a_clear_400() {
    let sandbox = Running::start();
    for extra in ["&sandbox_decision=allow", "&sandbox_decision=maybe&sandbox_user=alice"] {
        let reply = sandbox.authorize(extra);
        assert_eq!(reply.status(), Some(400), "{extra}");
        assert!(reply.json()["error"].is_string());
    }
}

#[test]
fn an_authorization_that_cannot_be_asked_is_refused_on_the_spot() {
    let sandbox = Running::start();
    let unregistered = sandbox.get(&authorize_path("coupon.basic"));
    let expected = (Some(400), "invalid_scope".to_owned(), "invalid scope".to_owned());
    assert_eq!(error_texts(&unregistered), expected);
    let stranger = authorize_path("profile.compact").replace("sandbox-client", "stranger");
    assert_eq!(error_texts(&sandbox.get(&stranger)).2, "Invalid client_id");
    let page = sandbox.call(&format!("GET {stranger}\naccept: text/html"), "");
    assert_eq!(page.status(), Some(400));
    assert!(page.body.contains("<h1>Invalid client_id</h1>"));
}

#[test]
fn names_and_carts_from_outside_are_escaped_on_the_front_page() {
    let sandbox = Running::start();
    let hostile = "%3Cscript%3E%22";
    let reply = sandbox.authorize(&format!("&sandbox_user={hostile}&sandbox_decision=allow"));
    assert_eq!(reply.status(), Some(302));
    let front = sandbox.get("/").body;
    assert!(front.contains("<h3>&lt;script&gt;&quot;</h3>"));
    assert!(!front.contains("<script"));
    let alice = sandbox.sign_in();
    let upc = "<b>123456</b>";
    let item = json!({"items": [{"upc": upc, "quantity": 1}]});
    assert_eq!(sandbox.add(&alice, &item.to_string()).status(), Some(204));
    assert!(!sandbox.get("/").body.contains("<b>"));
}

#[test]
fn a_cart_call_has_krogers_errors() {
    let sandbox = Running::start();
    let alice = sandbox.sign_in();
    let bare = sandbox.add(&alice, r#"{"items":[{"upc":"1","quantity":1}]}"#);
    assert_eq!(bare.status(), Some(400));
    assert_eq!(bare.json()["reason"], "UPC must have a length of 13 characters");
    assert!(bare.json()["timestamp"].is_u64());
    let flat = sandbox.call(&format!("PUT {ADD}"), MILK);
    assert_eq!(error_texts(&flat).1, "invalid_token");
    let nested = sandbox.add(&json!({"access_token": "unknown"}), "not even JSON");
    assert_eq!(nested.status(), Some(401));
    assert_eq!(nested.json()["errors"]["error"], "invalid_token");
    let client = sandbox.token("grant_type=client_credentials").json();
    let forbidden = sandbox.add(&client, MILK);
    assert_eq!(forbidden.status(), Some(403));
    assert_eq!(forbidden.json()["errors"]["code"], "Forbidden");
    assert_eq!(forbidden.json()["errors"]["reason"], "missing required scopes");
}

#[test]
fn a_profile_is_a_uuid_and_unknown_paths_are_empty_404s() {
    let sandbox = Running::start();
    let alice = sandbox.sign_in();
    let token = alice["access_token"].as_str().unwrap();
    let reply = sandbox.call(&format!("GET /v1/identity/profile\nauthorization: Bearer {token}"), "");
    assert_eq!(reply.json()["data"]["id"].as_str().unwrap().len(), 36);
    let nowhere = sandbox.get("/v1/nowhere");
    assert_eq!((nowhere.status(), nowhere.body.as_str()), (Some(404), ""));
}

#[test]
fn settings_change_while_it_runs() {
    let sandbox = Running::start();
    let change = json!({"access_token_lifetime_seconds": 7, "reuse": {"grace_seconds": 60}});
    let settings = sandbox.post("settings", &change).json();
    assert_eq!(settings["access_token_lifetime_seconds"], 7);
    assert_eq!(settings["rotate"], true);
    assert_eq!(sandbox.get("/_sandbox/settings").json(), settings);
    let first = sandbox.sign_in();
    assert_eq!(first["expires_in"], 7);
    let second = sandbox.refresh(&first).json();
    assert_eq!(sandbox.refresh(&first).json()["access_token"], second["access_token"]);
    assert_eq!(sandbox.state()["spent_refresh_tokens_presented"], 1);
    let unknown = sandbox.post("settings", &json!({"lifetime": 7}));
    assert_eq!(unknown.status(), Some(400));
    assert!(unknown.json()["error"].as_str().unwrap().contains("lifetime"));
}

#[test]
fn a_status_is_answered_without_processing() {
    let sandbox = Running::start();
    let alice = sandbox.sign_in();
    let body = json!({"errors": {"reason": "busy"}});
    let action = json!({"status": 503, "headers": {"Retry-After": "2"}, "body": body});
    sandbox.fault(&json!({"match": {"path": ADD}, "times": 1, "action": action}));
    let reply = sandbox.add(&alice, MILK);
    assert_eq!((reply.status(), reply.header("retry-after")), (Some(503), Some("2")));
    assert_eq!((reply.json(), reply.header("content-type")), (body, Some("application/json")));
    assert_eq!(sandbox.state()["carts"], json!({}));
    assert_eq!(sandbox.add(&alice, MILK).status(), Some(204));
    assert_eq!(sandbox.state()["calls"]["PUT /v1/cart/add"], json!({"204": 1, "503": 1}));
}

#[test]
fn a_status_after_is_answered_though_it_was_processed() {
    let sandbox = Running::start();
    let alice = sandbox.sign_in();
    sandbox.fault(&json!({"match": {"path": ADD}, "action": {"status_after": 504}}));
    assert_eq!(sandbox.add(&alice, MILK).status(), Some(504));
    assert_eq!(sandbox.state()["carts"]["alice"][0]["quantity"], 2);
}

#[test]
fn a_drop_before_leaves_the_refresh_token_good() {
    let sandbox = Running::start();
    let alice = sandbox.sign_in();
    sandbox.fault(&json!({"match": {"path": TOKEN}, "times": 1, "action": "drop_before"}));
    let reply = sandbox.refresh(&alice);
    assert_eq!((reply.status(), reply.body.as_str()), (None, ""));
    assert_eq!(sandbox.refresh(&alice).status(), Some(200));
    let state = sandbox.state();
    assert_eq!(state["token_requests"]["refresh_token"], json!({"ok": 1, "refused": 0}));
    assert_eq!(state["calls"]["POST /v1/connect/oauth2/token"], json!({"200": 2, "dropped": 1}));
}

#[test]
fn a_drop_after_has_spent_the_refresh_token() {
    let sandbox = Running::start();
    let alice = sandbox.sign_in();
    sandbox.fault(&json!({"match": {"path": TOKEN}, "times": 1, "action": "drop_after"}));
    let reply = sandbox.refresh(&alice);
    assert_eq!((reply.status(), reply.body.as_str()), (None, ""));
    assert_eq!(error_texts(&sandbox.refresh(&alice)).2, "invalid refresh_token");
    let state = sandbox.state();
    assert_eq!(state["token_requests"]["refresh_token"], json!({"ok": 1, "refused": 1}));
    assert_eq!(state["spent_refresh_tokens_presented"], 1);
}

#[test]
fn a_truncated_answer_promises_more_than_it_brings() {
    let sandbox = Running::start();
    let alice = sandbox.sign_in();
    sandbox.fault(&json!({"match": {"path": TOKEN}, "times": 1, "action": "truncate"}));
    let reply = sandbox.refresh(&alice);
    assert_eq!(reply.status(), Some(200));
    let promised: usize = reply.header("content-length").unwrap().parse().unwrap();
    assert_eq!(reply.body.len(), promised / 2);
    assert_eq!(sandbox.refresh(&alice).status(), Some(400));
}

#[test]
fn a_truncated_answer_without_a_body_is_no_answer() {
    let sandbox = Running::start();
    let alice = sandbox.sign_in();
    sandbox.fault(&json!({"match": {"method": "PUT"}, "action": "truncate"}));
    assert_eq!(sandbox.add(&alice, MILK).status(), None);
    assert_eq!(sandbox.state()["carts"]["alice"][0]["quantity"], 2);
}

#[test]
fn garbage_is_200_and_no_json() {
    let sandbox = Running::start();
    let alice = sandbox.sign_in();
    sandbox.fault(&json!({"match": {"path": TOKEN}, "nth": 1, "action": "garbage"}));
    let reply = sandbox.refresh(&alice);
    assert_eq!(reply.status(), Some(200));
    assert!(serde_json::from_str::<Value>(&reply.body).is_err());
    assert_eq!(sandbox.refresh(&alice).status(), Some(400));
}

#[test]
fn a_delayed_call_is_processed_though_its_caller_has_hung_up() {
    let sandbox = Running::start();
    let alice = sandbox.sign_in();
    sandbox.fault(&json!({"match": {"path": ADD}, "action": {"delay_ms": 100}}));
    drop(client::send(sandbox.address, &add_head(&alice), MILK));
    let deadline = Instant::now() + Duration::from_secs(10);
    while sandbox.state()["carts"]["alice"].is_null() {
        assert!(Instant::now() < deadline, "the add was forgotten");
        thread::yield_now();
    }
}

#[test]
fn a_call_beyond_the_daily_limit_is_429_and_says_when_to_come_back() {
    let sandbox = Running::start();
    sandbox.post("settings", &json!({"daily_limits": {"identity": 1}, "quota_window_seconds": 60}));

    let first = sandbox.get("/v1/identity/profile");
    let second = sandbox.get("/v1/identity/profile");

    assert_eq!((first.status(), second.status()), (Some(401), Some(429)));
    assert_eq!(second.header("retry-after"), Some("60"));
    assert_eq!(second.json()["errors"]["code"], "RateLimit-429");
    assert_eq!(sandbox.state()["quotas"], json!({"identity": 1}));
}

#[test]
fn latency_holds_up_every_call_but_the_sandboxs_own() {
    let sandbox = Running::start();
    sandbox.post("settings", &json!({"latency_ms": 600_000}));
    assert_eq!(sandbox.get("/_sandbox/state").status(), Some(200));
    assert_eq!(sandbox.get("/").status(), Some(200));
    sandbox.post("settings", &json!({"latency_ms": 150}));
    let asked = Instant::now();
    sandbox.get("/v1/nowhere");
    assert!(asked.elapsed() >= Duration::from_millis(150));
}

#[test]
fn faults_are_listed_with_their_firings_and_cleared() {
    let sandbox = Running::start();
    let fault = json!({"match": {"path": "/v1/nowhere"}, "times": 1, "action": {"status": 418}});
    sandbox.fault(&fault);
    assert_eq!(sandbox.get("/v1/nowhere").status(), Some(418));
    assert_eq!(sandbox.get("/v1/nowhere").status(), Some(404));
    let listed = sandbox.get("/_sandbox/faults").json();
    assert_eq!((&listed[0]["fired"], &listed[0]["matched"]), (&json!(1), &json!(2)));
    assert_eq!(listed[0]["action"], fault["action"]);
    assert_eq!(sandbox.call("DELETE /_sandbox/faults", "").json(), json!([]));
    let wrong = sandbox.post("faults", &json!({"action": "garbage"}));
    assert_eq!(wrong.status(), Some(400));
}

#[test]
fn a_customer_is_expired_by_a_program_and_revoked_by_a_button() {
    let sandbox = Running::start();
    let first = sandbox.sign_in();
    let expired = sandbox.post("expire", &json!({"user": "alice"}));
    assert_eq!(expired.json(), json!({"access_tokens_expired": 1}));
    assert_eq!(sandbox.add(&first, MILK).status(), Some(401));
    let second = sandbox.refresh(&first).json();
    let clicked = sandbox.call(&format!("POST /_sandbox/revoke\n{FORM}"), "user=alice");
    assert_eq!((clicked.status(), clicked.header("location")), (Some(303), Some("/")));
    assert_eq!(sandbox.add(&second, MILK).status(), Some(401));
    assert_eq!(error_texts(&sandbox.refresh(&second)).2, "invalid refresh_token");
    assert_eq!(sandbox.post("expire", &json!({})).status(), Some(400));
}

#[test]
fn what_curl_takes_for_a_form_may_be_json() {
    let sandbox = Running::start();
    sandbox.sign_in();
    let reply = sandbox.call(&format!("POST /_sandbox/revoke\n{FORM}"), r#"{"user": "alice"}"#);
    assert_eq!(reply.json(), json!({"sign_ins_revoked": 1}));
}
