//! Faults, latency and daily limits, as a caller meets them.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    client::send,
    fixture::{ADD, MILK, TOKEN, TestSandbox, add_head, error_texts},
};

#[test]
fn status_is_answered_without_processing() {
    let sandbox = TestSandbox::start();
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
fn status_after_is_answered_after_processing() {
    let sandbox = TestSandbox::start();
    let alice = sandbox.sign_in();
    sandbox.fault(&json!({"match": {"path": ADD}, "action": {"status_after": 504}}));
    assert_eq!(sandbox.add(&alice, MILK).status(), Some(504));
    assert_eq!(sandbox.state()["carts"]["alice"][0]["quantity"], 2);
}

#[test]
fn drop_before_leaves_the_refresh_token_valid() {
    let sandbox = TestSandbox::start();
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
fn drop_after_spends_the_refresh_token() {
    let sandbox = TestSandbox::start();
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
fn truncated_answer_promises_twice_its_body() {
    let sandbox = TestSandbox::start();
    let alice = sandbox.sign_in();
    sandbox.fault(&json!({"match": {"path": TOKEN}, "times": 1, "action": "truncate"}));
    let reply = sandbox.refresh(&alice);
    assert_eq!(reply.status(), Some(200));
    let promised: usize = reply.header("content-length").unwrap().parse().unwrap();
    assert_eq!(reply.body.len(), promised / 2);
    assert_eq!(sandbox.refresh(&alice).status(), Some(400));
}

#[test]
fn truncated_answer_without_a_body_is_dropped() {
    let sandbox = TestSandbox::start();
    let alice = sandbox.sign_in();
    sandbox.fault(&json!({"match": {"method": "PUT"}, "action": "truncate"}));
    assert_eq!(sandbox.add(&alice, MILK).status(), None);
    assert_eq!(sandbox.state()["carts"]["alice"][0]["quantity"], 2);
}

#[test]
fn garbage_is_200_without_json() {
    let sandbox = TestSandbox::start();
    let alice = sandbox.sign_in();
    sandbox.fault(&json!({"match": {"path": TOKEN}, "nth": 1, "action": "garbage"}));
    let reply = sandbox.refresh(&alice);
    assert_eq!(reply.status(), Some(200));
    assert!(serde_json::from_str::<Value>(&reply.body).is_err());
    assert_eq!(sandbox.refresh(&alice).status(), Some(400));
}

#[test]
fn delayed_call_is_processed_after_its_caller_hangs_up() {
    let sandbox = TestSandbox::start();
    let alice = sandbox.sign_in();
    sandbox.fault(&json!({"match": {"path": ADD}, "action": {"delay_ms": 300}}));

    let connection = send(sandbox.address, &add_head(&alice), MILK);
    // A caller that hangs up earlier may prevent that its request is received at all.
    wait_until("the call is received", || sandbox.get("/_sandbox/faults").json()[0]["fired"] == 1);
    drop(connection);

    wait_until("the add is processed", || sandbox.state()["carts"]["alice"].is_array());
}

#[test]
fn call_beyond_the_daily_limit_is_429_with_retry_after() {
    let sandbox = TestSandbox::start();
    sandbox.post("settings", &json!({"daily_limits": {"identity": 1}, "quota_window_seconds": 60}));

    let first = sandbox.get("/v1/identity/profile");
    let second = sandbox.get("/v1/identity/profile");

    assert_eq!((first.status(), second.status()), (Some(401), Some(429)));
    assert_eq!(second.header("retry-after"), Some("60"));
    assert_eq!(second.json()["errors"]["code"], "RateLimit-429");
    assert_eq!(sandbox.state()["quotas"], json!({"identity": 1}));
}

#[test]
fn latency_delays_only_calls_that_imitate_kroger() {
    let sandbox = TestSandbox::start();
    sandbox.post("settings", &json!({"latency_ms": 600_000}));
    assert_eq!(sandbox.get("/_sandbox/state").status(), Some(200));
    assert_eq!(sandbox.get("/").status(), Some(200));
    sandbox.post("settings", &json!({"latency_ms": 150}));
    let asked = Instant::now();
    sandbox.get("/v1/nowhere");
    assert!(asked.elapsed() >= Duration::from_millis(150));
}

fn wait_until(event: &str, happened: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !happened() {
        assert!(Instant::now() < deadline, "timed out before {event}");
        thread::yield_now();
    }
}
