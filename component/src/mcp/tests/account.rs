//! The tools of the account.

use super::*;

#[test]
fn sign_in_gives_a_link_of_ours_and_the_number_that_its_page_shows() {
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
fn sign_in_of_one_who_is_signed_in_makes_no_link() {
    let server = signed_in();

    assert_eq!(server.call("sign_in", &json!({})).value(), &json!({ "signed_in": true }));
}

#[test]
fn complete_sign_in_takes_the_whole_address_or_its_query_and_refuses_another() {
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
    for refused in [&no_address, &nothing, &declined, &again] {
        assert_eq!(refused.error(), "invalid_argument");
    }
    assert!(nothing.text().contains("`redirect_url` is not valid: it is missing"), "{}", nothing.text());
    assert!(again.text().contains("used before") && again.text().contains("`sign_in`"), "{}", again.text());
}

#[test]
fn sign_out_forgets_the_sign_in() {
    let server = signed_in();

    let out = server.call("sign_out", &json!({}));

    assert_eq!(out.value(), &json!({ "signed_out": true }));
    assert_eq!(server.call("token_status", &json!({})).value()["status"], "not_signed_in");
}

#[test]
fn token_status_says_where_the_sign_in_stands_and_shows_no_token() {
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
fn token_status_says_when_only_the_user_can_mend_it() {
    let server = signed_in();
    server.world.advance(std::time::Duration::from_secs(1_800));
    server.world.answer(400, r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#);
    server.call("add_to_cart", &json!({ "items": [{ "upc": UPC }] }));

    let status = server.call("token_status", &json!({}));

    assert_eq!(status.value(), &json!({ "signed_in": false, "status": "reauthorize" }));
    assert!(status.text().contains("Call sign_in"), "{}", status.text());
}

#[test]
fn quota_status_counts_what_was_sent() {
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
fn get_profile_tells_the_id_and_keeps_it_nowhere() {
    let server = signed_in();
    server.answer(&json!({ "id": "canary-profile-id" }));

    let profile = server.call("get_profile", &json!({}));

    assert_eq!(profile.value(), &json!({ "profile_id": "canary-profile-id" }));
    let stored = server.world.stored(crate::ports::Bucket::Store);
    assert!(!stored.values().any(|value| String::from_utf8_lossy(value).contains("canary-profile-id")));
}

#[test]
fn without_credentials_the_operator_is_told_which_are_missing() {
    let settings = Arc::new(Settings::from_variables(Vec::<(String, String)>::new()).unwrap());
    let server = Server { world: Arc::new(World::new()), service: Service::new(Ok(settings)) };

    for (tool, arguments) in [("sign_in", json!({})), ("search_products", json!({ "terms": ["milk"] }))] {
        let refused = server.call(tool, &arguments);
        assert_eq!(refused.error(), "client_credentials_rejected", "{tool}");
        assert!(refused.text().contains("KROGER_CLIENT_ID"), "{}", refused.text());
    }
}
