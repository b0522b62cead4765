//! Shows, refreshes and forgets tokens.

use super::*;
use kroger_core::ports::Ports as _;

#[test]
fn token_list_has_every_key_and_no_token() {
    let server = signed_in();
    server.world.answer_with_tokens("canary-app", "unused");
    maintenance::tidy(server.context()).unwrap();

    let tokens = server.get("/admin/tokens").json();

    assert_eq!(
        tokens,
        json!({
            "client_credentials": {
                "exists": true, "status": "valid", "expires_at": 1_737_203_400_u64,
                "expires_at_readable": "2025-01-18T12:30:00Z", "expires_in": "1800 seconds",
                "will_refresh": "automatically",
            },
            "user_tokens": { "user_default": {
                "status": "valid", "expires_at": 1_737_203_400_u64,
                "expires_at_readable": "2025-01-18T12:30:00Z", "expires_in": "1800 seconds",
                "will_refresh": "automatically", "has_refresh_token": true,
                "scope": "profile.compact cart.basic:write", "source": "oauth",
                "refreshed_at": 1_737_201_600_u64, "refreshed_at_readable": "2025-01-18T12:00:00Z",
            } },
            "token_storage": {
                "file_exists": true, "file_path": "keyvalue",
                "auto_refresh_enabled": true, "persistence_enabled": true,
            },
            "settings": {
                "refresh_buffer_seconds": 300, "check_interval_seconds": 60, "max_retries": 3, "success_rate": null,
            },
        })
    );
}

#[test]
fn token_status_goes_from_valid_to_reauthorize() {
    let server = signed_in();
    let token = || server.get("/admin/tokens").json()["user_tokens"]["user_default"].clone();

    server.world.advance(Duration::from_secs(1_770));
    let expiring = token();
    server.world.advance(Duration::from_secs(42));
    let expired = token();
    server.world.answer(400, r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#);
    server.call_with("POST", "/admin/tokens/refresh", &[], "");
    let refused = token();

    assert_eq!((&expiring["status"], &expiring["expires_in"]), (&json!("expiring_soon"), &json!("30 seconds")));
    assert_eq!((&expired["status"], &expired["will_refresh"]), (&json!("expired"), &json!("on next use")));
    assert_eq!(expired["expired_ago"], "12 seconds ago");
    assert_eq!((&refused["status"], &refused["last_error"]), (&json!("reauthorize"), &json!("refused")));
    assert!(refused["reason"].as_str().unwrap().contains("re-authenticate"));
}

#[test]
fn forced_refresh_answers_the_new_expiry_and_whether_it_is_saved() {
    let server = signed_in();
    server.world.advance(Duration::from_secs(60));
    server.world.answer_with_tokens("canary-access-2", "canary-refresh-2");

    let refreshed = server.call_with("POST", "/admin/tokens/refresh", &[], "");

    assert_eq!(
        refreshed.json(),
        json!({
            "message": "Token refreshed successfully", "user_id": "user_default", "expires_at": 1_737_203_460_u64,
            "expires_at_readable": "2025-01-18T12:31:00Z", "auto_saved": true,
        })
    );
}

#[test]
fn forced_refresh_requires_a_refresh_token() {
    let server = server();
    let state = server.state("/auth/authorize?user_id=ann");
    server.world.answer(200, r#"{"access_token":"a","expires_in":1800,"token_type":"bearer"}"#);
    assert_eq!(server.get(&format!("/auth/callback?code=c&state={state}")).status, 200);
    let refresh = |query: &str, body: &str| {
        server.call_with("POST", &format!("/admin/tokens/refresh{query}"), &[], body).problem()
    };

    assert_eq!(refresh("?user_id=ann", ""), (400, "invalid_argument".to_owned()));
    assert_eq!(refresh("?user_id=nobody", ""), (404, "not_found".to_owned()));
    assert_eq!(refresh("", r#"{"user_id":"ann"}"#), (422, "invalid_argument".to_owned()));
}

#[test]
fn forgotten_user_is_signed_out_and_removed_from_env() {
    let server = signed_in();
    assert!(!server.world.stored(Bucket::Env).is_empty());

    let forgotten = server.call_with("DELETE", "/admin/tokens/user%5Fdefault", &[], "");

    assert_eq!((forgotten.status, &forgotten.json()["user_id"]), (200, &json!("user_default")));
    let until = forgotten.json()["access_token_expires_at"].as_u64();
    assert!(until.is_some_and(|until| until > server.world.wall_now().as_secs()), "{until:?}");
    assert!(server.world.stored(Bucket::Env).is_empty());
    let again = server.call_with("DELETE", "/admin/tokens/user%5Fdefault", &[], "");
    assert_eq!((again.status, &again.json()["access_token_expires_at"]), (200, &json!(null)));
    assert_eq!(server.put("/cart/add/simple", &json!({ "upc": UPC })).status, 401);
    assert_eq!(server.call_with("DELETE", "/admin/tokens/%ff", &[], "").problem().0, 422);
}
