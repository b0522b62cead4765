//! The records that many calls without a sign-in leave in the store.

use std::collections::BTreeSet;

use url::Url;

use super::*;

#[test]
fn thousand_adds_without_a_sign_in_leave_only_links_that_were_shown() {
    let server = server();
    let mut links = BTreeSet::new();

    for number in 0..1_000 {
        let key = format!("order-{number}");
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        let body = json!({ "upc": UPC }).to_string();
        let headers = &headers[..=number % 2];
        let refused = server.call_with("PUT", "/cart/add/simple", headers, &body);
        assert_eq!(refused.problem(), (401, "reauthorize".to_owned()));
        links.insert(refused.json()["authorization_url"].as_str().unwrap().to_owned());
        server.world.advance(Duration::from_secs(1));
    }

    assert_eq!(links.len(), 4, "a link is shared for 5 minutes");
    let user = UserId::parse("user_default").unwrap().key();
    let places = links.iter().map(|link| format!("signin.{}", place_of(link)));
    let shown: BTreeSet<String> = places.chain([format!("signin_link.{user}"), "signin.places".to_owned()]).collect();
    assert_eq!(server.world.keys().into_iter().collect::<BTreeSet<_>>(), shown);
}

#[test]
fn head_request_without_a_sign_in_leaves_no_record() {
    let server = server();

    let refused = server.call_with("HEAD", "/identity/profile", &[], "");

    assert_eq!((refused.status, refused.text.as_str()), (401, ""));
    assert!(server.world.keys().is_empty());
}

fn place_of(link: &str) -> String {
    let link = Url::parse(link).unwrap();
    let (_, state) = link.query_pairs().find(|(name, _)| name == "state").unwrap();
    state.split_once('.').unwrap().0.to_owned()
}
