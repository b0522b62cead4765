//! The token endpoint's refusals, in Kroger's words.

use serde_json::json;

use crate::fixture::{BASIC, FORM, TOKEN, TestSandbox, error_texts};

#[test]
fn token_refusals_have_krogers_bodies() {
    let sandbox = TestSandbox::start();
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
fn credentials_go_in_the_header_and_the_request_in_a_form() {
    let sandbox = TestSandbox::start();
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
fn different_redirect_uri_is_refused_in_krogers_words() {
    let sandbox = TestSandbox::start();
    let reply = sandbox.authorize("&sandbox_user=alice&sandbox_decision=allow");
    let location = reply.header("location").unwrap();
    let code = location.split_once("code=").unwrap().1.split('&').next().unwrap();
    let form = format!("grant_type=authorization_code&code={code}&redirect_uri=http%3A%2F%2Fx");
    let (status, error, description) = error_texts(&sandbox.token(&form));
    assert_eq!((status, error.as_str()), (Some(400), "invalid_request"));
    let words = "The redirect_uri did not match the registered redirect_uri for this application";
    assert_eq!(description, words);
}
