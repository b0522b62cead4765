//! Checks the real server against the first system's page: its keys, its texts, and
//! the validation that it promised and never built.

use serde_json::{Value, json};

use crate::support::{Answer, Sandbox, Server, UPC, eventually, folder};

/// Asserts that `answer` has each of `keys`, such as `token_management.success_rate`.
#[track_caller]
fn has_keys(answer: &Value, keys: &[&str]) {
    for key in keys {
        let pointer = format!("/{}", key.replace('.', "/"));
        assert!(answer.pointer(&pointer).is_some(), "no {key} in {answer}");
    }
}

#[test]
fn every_key_of_the_first_systems_page_is_answered() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    let ok = |answer: Answer| answer.expect(200).json();

    let authorize = ok(server.get("/auth/authorize"));
    has_keys(&authorize, &["authorization_url", "redirect_uri", "scope"]);
    let callback = ok(server.agree(authorize["authorization_url"].as_str().unwrap(), "alice"));
    has_keys(&callback, &["message", "user_id", "expires_in", "token_management.auto_refresh"]);
    has_keys(&callback["token_management"], &["persistence", "env_file_updated", "success_rate"]);
    let tokens = ok(server.get("/admin/tokens"));
    has_keys(&tokens, &["client_credentials.exists", "settings.refresh_buffer_seconds", "settings.success_rate"]);
    has_keys(&tokens["user_tokens"]["user_default"], &["status", "expires_in", "has_refresh_token", "will_refresh"]);
    let refreshed = ok(server.call("POST", "/admin/tokens/refresh", None));
    has_keys(&refreshed, &["message", "expires_at_readable", "auto_saved"]);
    let added = ok(server.call("PUT", "/cart/add/simple", Some(&json!({ "upc": UPC, "quantity": 2 }))));
    has_keys(&added, &["success", "upc", "quantity", "message", "token_status"]);
    has_keys(&ok(server.get("/config")), &["token_management.user_token", "features", "llm_instructions"]);
    has_keys(&ok(server.get("/health")), &["status", "token_status.user_token_valid"]);
    has_keys(&ok(server.get("/openapi.json")), &["openapi", "paths"]);
}

#[test]
fn the_texts_of_the_first_systems_page_come_word_for_word() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();
    let detail = |answer: Answer| answer.json()["detail"].as_str().unwrap().to_owned();

    sandbox.revoke("alice");
    let refused = detail(server.call("POST", "/admin/tokens/refresh", None).expect(401));
    server.sign_in();
    sandbox.token_faults(1_000, &json!({ "status": 503 }));
    let network = detail(server.call("POST", "/admin/tokens/refresh", None).expect(503));

    let network_text = "Token refresh failed after 3 attempts.\n\nAction required:\n1. Check network connectivity\n\
         2. If network is OK, user needs to re-authenticate";
    let refused_text = "Token refresh failed: Invalid refresh token\n\nAction required for LLM agent:\n\
         1. Navigate to /auth/authorize to get OAuth URL\n2. Direct user to complete authentication\n\
         3. New tokens will be automatically saved\n4. Cart operations will resume working";
    assert_eq!(network, network_text);
    assert!(refused.starts_with(refused_text), "{refused}");
    assert!(refused.contains("re-authenticate"), "{refused}");
}

#[test]
fn a_validation_reports_the_real_store_and_asks_kroger_only_on_request() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();
    let validate = |query: &str| server.get(&format!("/admin/tokens/validate{query}")).expect(200).json();
    eventually("the first pass of the timer", || (validate("")["healthy"] == true).then_some(()));
    let of_user = |found: &Value, name: &str| {
        let checks = found["tokens"]["users"]["user_default"]["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|check| check["name"] == name)
    };

    assert_eq!(of_user(&validate(""), "online"), None);
    let online = validate("?online=true");
    assert_eq!(online["healthy"], true, "{online}");
    let refreshes = sandbox.refreshes();
    sandbox.expire("alice");
    let rejected = validate("?online=true");

    assert_eq!(of_user(&rejected, "online").unwrap()["ok"], false, "{rejected}");
    assert_eq!(sandbox.refreshes(), refreshes);
    assert_eq!(server.get("/admin/tokens/status").expect(200).json()["persistence"]["writable"], true);
}
