//! The records that many calls without a sign-in leave in the store.

use std::collections::BTreeSet;

use super::*;

#[test]
fn thousand_adds_without_a_sign_in_leave_nothing() {
    let server = server();
    let mut links = BTreeSet::new();

    for number in 0..1_000 {
        let key = format!("order-{number}");
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        let body = json!({ "upc": UPC }).to_string();
        let headers = &headers[..=number % 2];
        let path = format!("/cart/add/simple?user_id=made-up-{}", number / 2);
        let refused = server.call_with("PUT", &path, headers, &body);
        assert_eq!(refused.problem(), (401, "reauthorize".to_owned()));
        links.insert(refused.json()["authorization_url"].as_str().unwrap().to_owned());
    }

    assert_eq!(links.len(), 1_000, "whoever has a link can use it up, so each call has its own");
    assert_eq!(server.world.keys(), ["request_state_key"]);
}

#[test]
fn head_request_without_a_sign_in_leaves_no_record() {
    let server = server();

    let refused = server.call_with("HEAD", "/identity/profile", &[], "");

    assert_eq!((refused.status, refused.text.as_str()), (401, ""));
    assert!(server.world.keys().is_empty());
}
