//! The promises of the first system's page: its texts, and the times of refreshes.

use super::*;
use kroger_core::service::maintenance::RefreshOutcome;
use kroger_core::user::UserId;

const STEPS: &str = "Action required for LLM agent:\n\
    1. Navigate to /auth/authorize to get OAuth URL\n\
    2. Direct user to complete authentication\n\
    3. New tokens will be automatically saved\n\
    4. Cart operations will resume working";

fn add(server: &Server) -> Answer {
    server.put("/cart/add/simple", &json!({ "upc": UPC }))
}

#[test]
fn periodic_refresh_refreshes_in_the_last_five_minutes_only() {
    let server = signed_in();
    let user = UserId::parse("user_default").unwrap();
    let pass = || maintenance::refresh_user(server.context(), &user).unwrap();

    server.world.advance(Duration::from_secs(1_499));
    assert_eq!(pass(), RefreshOutcome::Fresh);
    // Up to a fifth of the five minutes later, so that the users are not all refreshed at once.
    server.world.advance(Duration::from_secs(61));
    server.world.answer_with_tokens("canary-access-2", "canary-refresh-2");
    assert_eq!(pass(), RefreshOutcome::Refreshed);

    let told = server.get("/config").json()["token_management"]["user_token"].clone();
    assert_eq!(told, "valid (expires in 1800s)");
}

#[test]
fn refused_refresh_token_is_reported_in_the_contracts_words() {
    let server = signed_in();
    server.world.advance(Duration::from_secs(1_800));
    server.world.answer(400, r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#);

    let detail = add(&server).detail();

    assert!(detail.starts_with(&format!("Token refresh failed: Invalid refresh token\n\n{STEPS}")), "{detail}");
    assert!(detail.contains("re-authenticate"));
}

#[test]
fn lost_refresh_reply_is_reported_as_probably_spent() {
    let server = signed_in();
    server.world.advance(Duration::from_secs(1_800));
    server.world.lose_answer(SendError::Unknown);
    server.world.answer(400, r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#);

    let answer = add(&server);

    assert_eq!(answer.problem(), (401, "reauthorize".to_owned()));
    assert!(answer.detail().starts_with("Token refresh failed: Invalid refresh token. It was probably spent by"));
    assert!(answer.detail().contains(STEPS));
}

#[test]
fn token_rejected_twice_is_reported_with_the_contracts_recovery() {
    let server = signed_in();
    server.world.answer(401, r#"{"error":"invalid_token"}"#);
    server.world.answer_with_tokens("canary-access-2", "canary-refresh-2");
    server.world.answer(401, r#"{"error":"invalid_token"}"#);

    let answer = add(&server);

    assert_eq!(answer.problem(), (401, "token_rejected".to_owned()));
    assert!(answer.detail().starts_with("Token expired or invalid."), "{}", answer.detail());
    assert!(answer.detail().ends_with("Recovery: Use /auth/authorize to re-authenticate"), "{}", answer.detail());
    assert!(answer.json()["authorization_url"].is_string());
}

#[test]
fn client_token_is_reported_in_the_first_systems_words() {
    let server = signed_in();
    server.world.advance(Duration::from_secs(1_800));
    server.world.answer(401, r#"{"error":"unauthorized","error_description":"invalid credentials"}"#);

    let answer = add(&server);

    assert_eq!(answer.problem(), (503, "client_credentials_rejected".to_owned()));
    let words = "Invalid Kroger API credentials. Please check KROGER_CLIENT_ID and KROGER_CLIENT_SECRET.";
    assert_eq!(answer.detail(), words);
}

#[test]
fn unknown_query_parameters_are_ignored_on_every_route_that_reads() {
    let server = signed_in();
    for path in ["/health", "/config", "/readyz", "/livez", "/admin/tokens", "/admin/tokens/validate", "/openapi.json"]
    {
        assert_eq!(server.get(&format!("{path}?verbose=1&x=%20")).status, 200, "{path}");
    }
}

#[test]
fn clear_argument_is_corrected_and_unclear_one_is_named() {
    let server = signed_in();
    server.world.answer(200, r#"{"access_token":"canary-app","expires_in":1800}"#);
    server.world.answer(200, json!({ "data": [{ "upc": UPC, "description": "Milk" }] }).to_string());
    server.world.answer(204, "");

    let corrected = server.put("/cart/add/simple", &json!({ "upc": "0 11110 41700 8" })).json();
    let unclear = server.put("/cart/add/simple", &json!({ "upc": "00011110417000" }));

    assert_eq!(corrected["upc"], UPC);
    assert!(corrected["notes"][0].as_str().unwrap().contains("check digit"));
    assert!(unclear.detail().starts_with("`upc` is not valid: a UPC of 13 digits"), "{}", unclear.detail());
}

#[test]
fn new_sign_in_replaces_a_refused_refresh_token() {
    let server = signed_in();
    server.world.advance(Duration::from_secs(1_800));
    server.world.answer(400, r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#);
    let refused = add(&server).json();
    let link = url::Url::parse(refused["authorization_url"].as_str().unwrap()).unwrap();
    let state = link.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();

    server.world.answer_with_tokens("canary-access-3", "canary-refresh-3");
    assert_eq!(server.get(&format!("/auth/callback?code=c&state={state}")).status, 200);
    server.world.answer(204, "");

    assert_eq!(add(&server).status, 200);
}

#[test]
fn each_refresh_logs_one_event_with_trigger_and_outcome() {
    let server = signed_in();
    server.world.answer_with_tokens("canary-access-2", "canary-refresh-2");
    server.call_with("POST", "/admin/tokens/refresh", &[], "");
    server.world.advance(Duration::from_secs(1_800));
    server.world.answer(400, r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#);
    add(&server);

    let logged: Vec<_> = server.world.logged().iter().map(|event| serde_json::to_value(event).unwrap()).collect();

    let refreshes: Vec<_> = logged.iter().filter(|event| event["event"] == "refresh").collect();
    let told: Vec<_> = refreshes.iter().map(|event| (event["why"].as_str(), event["outcome"].as_str())).collect();
    assert_eq!(told, [(Some("forced"), Some("refreshed")), (Some("expired"), Some("refused"))], "{refreshes:?}");
}
