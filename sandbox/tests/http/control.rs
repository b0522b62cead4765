//! `/_sandbox/`: state, settings, faults, ending tokens, and who may call it.

use serde_json::json;

use crate::fixture::{FORM, MILK, TestSandbox, error_texts};

#[test]
fn pages_of_other_sites_are_refused() {
    let sandbox = TestSandbox::start();
    let revoke = |site: &str| {
        sandbox.call(&format!("POST /_sandbox/revoke\nsec-fetch-site: {site}"), r#"{"user":"alice"}"#).status()
    };

    assert_eq!(revoke("cross-site"), Some(403));
    assert_eq!(revoke("same-origin"), Some(200));
}

#[test]
fn fresh_state_has_every_key() {
    let zero = json!({"ok": 0, "refused": 0});
    let expected = json!({
        "token_requests":
            {"authorization_code": zero, "client_credentials": zero, "refresh_token": zero},
        "spent_refresh_tokens_presented": 0,
        "calls": {},
        "carts": {},
        "quotas": {},
    });
    assert_eq!(TestSandbox::start().state(), expected);
}

#[test]
fn settings_change_while_the_sandbox_runs() {
    let sandbox = TestSandbox::start();
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
fn faults_are_listed_and_cleared() {
    let sandbox = TestSandbox::start();
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
fn program_expires_and_button_revokes_a_customer() {
    let sandbox = TestSandbox::start();
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
fn json_declared_as_a_form_is_accepted() {
    let sandbox = TestSandbox::start();
    sandbox.sign_in();
    let reply = sandbox.call(&format!("POST /_sandbox/revoke\n{FORM}"), r#"{"user": "alice"}"#);
    assert_eq!(reply.json(), json!({"sign_ins_revoked": 1}));
}
