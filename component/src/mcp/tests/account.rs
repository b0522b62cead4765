//! The tools of the account.

use super::*;

#[test]
fn sign_in_gives_our_link_and_the_number_on_its_page() {
    let server = server();

    let asked = server.call("sign_in", &json!({}));

    let value = asked.value();
    assert!(value["url"].as_str().unwrap().starts_with("http://localhost:9004/auth/start/"), "{value}");
    assert_eq!(value["number"].as_str().unwrap().len(), 4);
    assert_eq!(value["expires_in_minutes"], 10);
    assert!(asked.text().contains("token_status says signed_in"), "{}", asked.text());
}

#[test]
fn sign_in_elsewhere_gives_krogers_own_link_and_how_to_finish_by_hand() {
    let server = server();

    let asked = server.call("sign_in", &json!({ "browser": "Elsewhere" }));

    assert!(asked.value()["url"].as_str().unwrap().starts_with("https://api.kroger.com/v1/connect/oauth2/authorize?"));
    assert!(asked.text().contains("complete_sign_in"), "{}", asked.text());
}

#[test]
fn sign_in_makes_no_link_for_a_connected_account() {
    let server = signed_in();

    assert_eq!(server.call("sign_in", &json!({})).value(), &json!({ "signed_in": true }));
}

#[test]
fn complete_sign_in_takes_the_address_or_its_query() {
    let server = server();
    let link = server.call("sign_in", &json!({ "browser": "elsewhere" })).value()["url"].as_str().unwrap().to_owned();
    let query = redirected(&link).split_once('?').unwrap().1.to_owned();

    let no_address = server.call("complete_sign_in", &json!({ "redirect_url": "I agreed!" }));
    let nothing = server.call("complete_sign_in", &json!({}));
    let declined = server.call("complete_sign_in", &json!({ "redirect_url": "http://localhost/?error=access_denied" }));
    server.world.answer_with_tokens("canary-access", "canary-refresh");
    let completed = server.call("complete_sign_in", &json!({ "redirect_url": query }));
    let again = server.call("complete_sign_in", &json!({ "redirect_url": query }));

    assert_eq!(completed.value(), &json!({ "signed_in": true, "expires_in_seconds": 1_800 }));
    assert_eq!(declined.error(), "sign_in_declined");
    for refused in [&no_address, &nothing, &again] {
        assert_eq!(refused.error(), "invalid_argument");
    }
    assert!(nothing.text().contains("`redirect_url` is not valid: it is missing"), "{}", nothing.text());
    assert!(again.text().contains("used before") && again.text().contains("`sign_in`"), "{}", again.text());
}

#[test]
fn sign_out_forgets_the_sign_in() {
    let server = signed_in();

    let out = server.call("sign_out", &json!({}));

    assert_eq!(out.value()["signed_out"], true);
    let until = out.value()["access_token_expires_at"].as_str().expect("a time");
    assert!(
        out.text().contains(&format!("Kroger still accepts the deleted access token until {until}")),
        "{}",
        out.text()
    );
    assert_eq!(server.call("token_status", &json!({})).value()["status"], "not_signed_in");
}

#[test]
fn token_status_reports_the_sign_in_and_shows_no_token() {
    let before = server().call("token_status", &json!({}));
    let server = signed_in();
    let valid = server.call("token_status", &json!({}));
    server.world.advance(std::time::Duration::from_secs(1_800));
    let expired = server.call("token_status", &json!({}));

    assert_eq!(before.value(), &json!({ "signed_in": false, "status": "not_signed_in" }));
    assert_eq!(valid.value()["status"], "signed_in");
    assert_eq!(valid.value()["expires_in_seconds"], 1_800);
    assert_eq!(expired.value()["status"], "renews_on_use");
    assert!(!format!("{:?}{:?}", valid.0, expired.0).contains("canary"));
}

#[test]
fn token_status_says_that_the_user_must_sign_in_again() {
    let server = signed_in();
    server.world.advance(std::time::Duration::from_secs(1_800));
    server.world.answer(400, r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#);
    server.call("add_to_cart", &json!({ "items": [{ "upc": UPC }] }));

    let status = server.call("token_status", &json!({}));

    assert_eq!(status.value(), &json!({ "signed_in": false, "status": "reauthorize" }));
    assert!(status.text().contains("Call sign_in"), "{}", status.text());
}

/// Kroger ended the sign-in: it rejects the access token and refuses the refresh token.
fn revoked() -> Server {
    let server = signed_in();
    server.world.answer(401, "");
    server.world.answer(400, r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#);
    let refused = server.call("add_to_cart", &json!({ "items": [{ "upc": UPC }] }));
    assert_eq!(refused.error(), "reauthorize");
    server
}

#[test]
fn refused_refresh_token_needs_a_sign_in_while_the_access_token_is_valid() {
    let server = revoked();

    let status = server.call("token_status", &json!({}));
    let asked = server.call("sign_in", &json!({}));
    server.sign_in();

    assert_eq!(status.value(), &json!({ "signed_in": false, "status": "reauthorize" }));
    assert!(asked.value()["url"].is_string(), "{}", asked.text());
    assert_eq!(server.call("token_status", &json!({})).value()["status"], "signed_in");
}

#[test]
fn sign_in_anew_makes_a_link_for_a_connected_account() {
    let server = signed_in();

    let here = server.call("sign_in", &json!({ "anew": true }));
    let elsewhere = server.call("sign_in", &json!({ "anew": true, "browser": "elsewhere" }));

    assert!(here.value()["url"].as_str().unwrap().contains("/auth/start/"), "{}", here.text());
    assert!(elsewhere.value()["url"].as_str().unwrap().contains("/oauth2/authorize"), "{}", elsewhere.text());
    assert!(server.call("sign_in", &json!({ "anew": false })).value()["url"].is_null());
}

#[test]
fn complete_sign_in_works_only_for_the_user_who_asked() {
    let server = server();
    let link = server.call("sign_in", &json!({ "browser": "elsewhere" })).value()["url"].as_str().unwrap().to_owned();
    let pasted = json!({ "name": "complete_sign_in", "arguments": { "redirect_url": redirected(&link) } });
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": pasted });
    let as_bob = [("mcp-protocol-version", "2025-11-25"), ("x-kroger-user", "bob")];

    let refused = ToolOutcome(json_of(&server.post(&as_bob, &call))["result"].clone());
    server.world.answer_with_tokens("canary-access", "canary-refresh");
    let own = server.call("complete_sign_in", &pasted["arguments"]);

    assert_eq!(refused.error(), "invalid_argument");
    assert!(refused.text().contains("another user"), "{}", refused.text());
    assert_eq!(own.value()["signed_in"], true);
}

#[test]
fn sign_in_elsewhere_is_finished_by_pasting_only() {
    let server = server();
    let link = server.call("sign_in", &json!({ "browser": "elsewhere" })).value()["url"].as_str().unwrap().to_owned();
    let back = redirected(&link);
    let path = back.strip_prefix("http://localhost:9004").unwrap();

    let program = server.get(path, &[]);
    let page = server.get(path, &[("accept", "text/html"), ("cookie", "kroger_sign_in=forged")]);
    server.world.answer_with_tokens("canary-access", "canary-refresh");
    let pasted = server.call("complete_sign_in", &json!({ "redirect_url": back }));

    assert_eq!((program.status().as_u16(), page.status().as_u16()), (400, 400));
    let shown = String::from_utf8_lossy(page.body()).into_owned();
    assert!(shown.contains("Copy the address of this page") && !shown.contains("canary-code"), "{shown}");
    assert_eq!(pasted.value()["signed_in"], true);
}

#[test]
fn quota_status_counts_calls() {
    let server = signed_in();
    server.world.answer(204, "");
    server.call("add_to_cart", &json!({ "items": [{ "upc": UPC }] }));

    let quota = server.call("quota_status", &json!({}));

    let endpoints = quota.value()["endpoints"].as_array().unwrap();
    let products = endpoints.iter().find(|one| one["endpoint"] == "products").unwrap();
    assert_eq!(products["limit"], 10_000);
    assert!(quota.text().contains("products 10000 of 10000"), "{}", quota.text());
}

#[test]
fn exhausted_quota_names_the_tool_that_shows_it() {
    let server = server_with(&[("KROGER_QUOTA_CHAINS", "1")]);
    server.world.answer(200, r#"{"access_token":"canary-app","expires_in":1800}"#);
    server.answer(&json!([{ "name": "KROGER" }]));
    server.call("list_chains", &json!({})).value();

    let refused = server.call("list_chains", &json!({}));

    assert_eq!(refused.error(), "quota_exhausted");
    assert!(refused.text().contains("`quota_status` shows each quota"), "{}", refused.text());
}

#[test]
fn get_profile_answers_the_id_and_does_not_store_it() {
    let server = signed_in();
    server.answer(&json!({ "id": "canary-profile-id" }));

    let profile = server.call("get_profile", &json!({}));

    assert_eq!(profile.value(), &json!({ "profile_id": "canary-profile-id" }));
    let stored = server.world.stored(kroger_core::ports::Bucket::Store);
    assert!(!stored.values().any(|value| String::from_utf8_lossy(value).contains("canary-profile-id")));
}

#[test]
fn missing_credentials_are_named_for_the_operator() {
    let settings = Arc::new(Settings::from_variables(Vec::<(String, String)>::new()).unwrap());
    let server = Server { world: Arc::new(TestWorld::new()), service: Service::new(Ok(settings)) };

    for (tool, arguments) in [("sign_in", json!({})), ("search_products", json!({ "terms": ["milk"] }))] {
        let refused = server.call(tool, &arguments);
        assert_eq!(refused.error(), "client_credentials_rejected", "{tool}");
        assert!(refused.text().contains("KROGER_CLIENT_ID"), "{}", refused.text());
    }
}
