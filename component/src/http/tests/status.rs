//! `/livez`, `/readyz`, `/health` and `/config`.

use super::*;
use kroger_core::ports::Ports as _;

#[test]
fn liveness_needs_no_store() {
    let server = server();
    server.world.set_store_mood(StoreMood::Failing);

    let answer = server.get("/livez");

    assert_eq!((answer.status, answer.json()), (200, json!({ "status": "alive" })));
}

#[test]
fn readiness_fails_while_the_store_forgets() {
    let server = server();
    assert_eq!(server.get("/readyz").status, 200);

    for mood in [StoreMood::Failing, StoreMood::Forgetful] {
        server.world.set_store_mood(mood);
        assert_eq!(server.get("/readyz").problem(), (503, "store_unavailable".to_owned()), "{mood:?}");
    }
}

#[test]
fn readiness_fails_while_tokens_wait_to_be_saved() {
    let server = server();
    server.world.set(Bucket::Rescue, "grant.x.1", b"{}").unwrap();

    let answer = server.get("/readyz");

    assert_eq!(answer.problem(), (503, "store_unavailable".to_owned()));
    assert!(answer.detail().contains("wait in memory"));
}

#[test]
fn health_is_degraded_until_the_periodic_refresh_runs() {
    let server = signed_in();
    server.world.answer_with_tokens("canary-app", "unused");

    let before = server.get("/health").json();
    maintenance::tidy(server.context()).unwrap();
    let after = server.get("/health").json();
    server.world.advance(Duration::from_secs(121));
    let later = server.get("/health").json();

    assert_eq!(before["status"], "degraded");
    assert!(before["reasons"][0].as_str().unwrap().starts_with("no periodic refresh"), "{before}");
    assert_eq!(
        after,
        json!({
            "status": "healthy", "service": "kroger-mcp", "version": env!("CARGO_PKG_VERSION"),
            "timestamp": "2025-01-18T12:00:00Z",
            "token_status": {
                "client_token_valid": true, "user_token_valid": true,
                "auto_refresh_enabled": true, "persistence_enabled": true,
            },
        })
    );
    assert_eq!(later["token_status"]["auto_refresh_enabled"], false);
}

#[test]
fn health_answers_200_with_a_failing_store() {
    let server = signed_in();
    server.world.set_store_mood(StoreMood::Failing);

    let answer = server.get("/health");

    assert_eq!(answer.status, 200);
    let health = answer.json();
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["token_status"]["persistence_enabled"], false);
    assert_eq!(health["token_status"]["user_token_valid"], false);
}

#[test]
fn config_reports_tokens_in_the_first_systems_words() {
    let server = signed_in();
    let told = |path: &str| {
        let management = server.get(path).json()["token_management"].clone();
        (management["client_token"].as_str().unwrap().to_owned(), management["user_token"].as_str().unwrap().to_owned())
    };

    assert_eq!(told("/config").1, "valid (expires in 1800s)");
    assert_eq!(told("/config?user_id=nobody").1, "not_configured");
    assert_eq!(told("/config").0, "expired (will refresh on next use)");
    server.world.answer_with_tokens("canary-app", "unused");
    maintenance::tidy(server.context()).unwrap();
    server.world.advance(Duration::from_secs(600));
    assert_eq!(told("/config"), ("valid (expires in 1200s)".to_owned(), "valid (expires in 1200s)".to_owned()));
    server.world.advance(Duration::from_secs(1_800));
    assert_eq!(told("/config").1, "expired (will refresh automatically)");
    server.world.answer(400, r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#);
    server.put("/cart/add/simple", &json!({ "upc": UPC }));
    assert_eq!(told("/config").1, "re-authentication required");
}

/// The warning comes while the access token is valid, so that the person can sign in again before a call needs it.
#[test]
fn refused_refresh_token_shows_while_the_access_token_is_valid() {
    let server = signed_in();
    server.world.answer(401, r#"{"error":"invalid_token"}"#);
    server.world.answer(400, r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#);
    assert_eq!(server.put("/cart/add/simple", &json!({ "upc": UPC })).problem().1, "reauthorize");

    let [health, config, tokens] = ["/health", "/config", "/admin/tokens"].map(|path| server.get(path).json());

    assert_eq!(health["token_status"]["user_token_valid"], false);
    assert_eq!(config["token_management"]["user_token"], "re-authentication required");
    assert_eq!(tokens["user_tokens"]["user_default"]["status"], "reauthorize");
}

#[test]
fn config_has_every_key_of_the_contract() {
    let config = server().get("/config").json();

    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(&config["token_management"]), "auto_refresh client_token persistence success_rate user_token");
    assert_eq!(config["default_location"], json!({ "zip_code": null, "store_id": null, "radius_miles": 10 }));
    assert_eq!(
        config["default_fulfillment"],
        json!({ "type": "PICKUP", "delivery_type": null, "force_kroger_delivery": false })
    );
    assert_eq!(
        config["features"],
        json!({
            "automatic_token_refresh": true, "persistent_storage": true, "retry_with_backoff": true,
            "env_file_updates": true, "background_refresh_task": false,
        })
    );
    assert_eq!(keys(&config["llm_instructions"]), "authentication cart_operations error_recovery token_storage");
    assert_eq!(config["token_management"]["success_rate"], Value::Null);
}

#[test]
fn config_reports_a_pair_in_env_without_adopting_it() {
    let server = server();
    let block = |expires_at: u64| {
        format!("KROGER_USER_ACCESS_TOKEN=a\nKROGER_USER_REFRESH_TOKEN=r\nKROGER_USER_TOKEN_EXPIRES_AT={expires_at}\n")
    };
    let now = server.world.wall_now().as_secs();
    let told = |expires_at| {
        server.world.set(Bucket::Env, "mirror", block(expires_at).as_bytes()).unwrap();
        server.get("/config").json()["token_management"]["user_token"].clone()
    };

    assert_eq!(told(now + 1_234), "valid in .env (expires in 1234s)");
    assert_eq!(server.get("/health").json()["token_status"]["user_token_valid"], true);
    let listed = server.get("/admin/tokens").json()["user_tokens"]["user_default"].clone();
    assert_eq!((&listed["status"], &listed["source"]), (&json!("valid"), &json!("env_file")));
    assert_eq!(told(now - 1), "expired in .env (will refresh on first use)");

    let grants = server.world.stored(Bucket::Store).into_keys().filter(|key| key.starts_with("grant.")).count();
    assert_eq!(grants, 0);
    assert_eq!(outside_pair::offered(server.context()).len(), 1);
}
