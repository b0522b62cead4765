//! The cart, the profile and unknown paths.

use serde_json::json;

use crate::fixture::{ADD, MILK, TestSandbox, error_texts};

#[test]
fn cart_errors_have_krogers_bodies() {
    let sandbox = TestSandbox::start();
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
fn profile_id_is_a_uuid_and_unknown_paths_are_empty_404s() {
    let sandbox = TestSandbox::start();
    let alice = sandbox.sign_in();
    let token = alice["access_token"].as_str().unwrap();
    let reply = sandbox.call(&format!("GET /v1/identity/profile\nauthorization: Bearer {token}"), "");
    assert_eq!(reply.json()["data"]["id"].as_str().unwrap().len(), 36);
    let nowhere = sandbox.get("/v1/nowhere");
    assert_eq!((nowhere.status(), nowhere.body.as_str()), (Some(404), ""));
}
