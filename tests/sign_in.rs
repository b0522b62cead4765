//! Signs in, and checks what a failed sign-in leaves.

use serde_json::json;

use crate::support::{Sandbox, Server, UPC, folder};

#[test]
fn a_person_signs_in_and_the_item_is_in_the_cart() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);

    let signed_in = server.sign_in_as("user_default", "alice").expect(200).json();
    let added = server.call("PUT", "/cart/add/simple", Some(&json!({ "upc": UPC, "quantity": 2 }))).expect(200).json();

    assert_eq!(signed_in["message"], "Authentication successful - tokens saved automatically");
    assert_eq!(signed_in["user_id"], "user_default");
    assert_eq!(added["message"], "Added 2x item to cart");
    assert_eq!(sandbox.cart("alice"), json!([{ "upc": UPC, "quantity": 2, "modality": "PICKUP" }]));
}

#[test]
fn a_call_without_a_sign_in_hands_out_a_link_that_works() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);

    let refused = server.add(UPC).expect(401).json();
    server.agree(refused["authorization_url"].as_str().expect("a link"), "bob").expect(200);
    server.add(UPC).expect(200);

    assert_eq!(refused["code"], "reauthorize");
    assert!(refused["detail"].as_str().unwrap().contains("re-authenticate"));
    assert_eq!(sandbox.cart("bob")[0]["quantity"], 1);
}

#[test]
fn a_redirect_is_accepted_once() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    let authorize = server.get("/auth/authorize").expect(200).json();
    let link = authorize["authorization_url"].as_str().unwrap();

    let first = server.agree(link, "alice");
    let second = server.agree(link, "mallory");

    first.expect(200);
    second.expect(400);
    server.add(UPC).expect(200);
    assert_eq!(sandbox.cart("mallory"), serde_json::Value::Null);
}

#[test]
fn an_unrequested_redirect_stores_nothing() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);

    for query in
        ["?code=x&state=7.forged", "?code=x", "?state=0.x", "", "?code=x&state=%00", "?error=access_denied&state=1.x"]
    {
        server.get(&format!("/auth/callback{query}")).expect(400);
    }

    server.add(UPC).expect(401);
    assert_eq!(sandbox.state()["token_requests"]["authorization_code"]["ok"], json!(0));
}

#[test]
fn a_person_who_declines_is_not_signed_in_and_the_redirect_is_spent() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    let link = server.get("/auth/authorize").expect(200).json()["authorization_url"].as_str().unwrap().to_owned();

    let redirect = server.client.get(&format!("{link}&sandbox_decision=deny")).expect(302);
    let location = redirect.header("location").to_owned();
    let declined = server.get(&format!("/auth/callback{}", &location[location.find('?').unwrap()..]));

    declined.expect(400);
    server.agree(&link, "alice").expect(400);
    server.add(UPC).expect(401);
}

#[test]
fn a_link_that_is_spent_is_not_handed_out_again() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    let link = || server.add(UPC).expect(401).json()["authorization_url"].as_str().expect("a link").to_owned();

    let declined = link();
    let redirect = server.client.get(&format!("{declined}&sandbox_decision=deny")).expect(302);
    let location = redirect.header("location");
    server.get(&format!("/auth/callback{}", &location[location.find('?').unwrap()..])).expect(400);
    let used = link();
    server.agree(&used, "alice").expect(200);
    server.call("DELETE", "/admin/tokens/user_default", None).expect(200);

    server.agree(&link(), "alice").expect(200);
    server.add(UPC).expect(200);
}

#[test]
fn a_deletion_ends_a_first_sign_in_under_way() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    let authorize = server.get("/auth/authorize?user_id=anna").expect(200).json();

    server.call("DELETE", "/admin/tokens/anna", None).expect(200);

    server.agree(authorize["authorization_url"].as_str().unwrap(), "alice").expect(400);
    assert_eq!(server.get("/admin/tokens").expect(200).json()["user_tokens"], json!({}));
}

#[test]
fn a_link_checker_is_answered_and_spends_no_sign_in() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    let head = |path: &str| server.call("HEAD", path, None);

    let alive = head("/livez");
    let missing = head("/nowhere");
    let link = server.get("/auth/authorize").expect(200).json()["authorization_url"].as_str().unwrap().to_owned();
    let redirect = server.client.get(&format!("{link}&sandbox_user=alice&sandbox_decision=allow")).expect(302);
    let location = redirect.header("location");
    let callback = format!("/auth/callback{}", &location[location.find('?').unwrap()..]);
    let checked = head(&callback);

    assert_eq!((alive.status, missing.status, checked.status), (200, 404, 405));
    server.get(&callback).expect(200);
}

#[test]
fn a_sign_in_survives_a_restart_before_its_redirect() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let before = Server::start(folder.path(), &sandbox);
    let link = before.get("/auth/authorize").expect(200).json()["authorization_url"].as_str().unwrap().to_owned();
    before.kill();

    let after = Server::start(folder.path(), &sandbox);
    after.agree(&link, "alice").expect(200);

    after.add(UPC).expect(200);
}

#[test]
fn each_user_has_a_cart_of_their_own() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in_as("anna", "alice").expect(200);
    server.sign_in_as("ben", "bob").expect(200);

    let body = json!({ "upc": UPC });
    server.client.call("PUT", &server.url("/cart/add/simple"), &[("x-kroger-user", "ben")], Some(&body)).expect(200);

    assert_eq!(sandbox.cart("bob")[0]["quantity"], 1);
    assert_eq!(sandbox.cart("alice"), serde_json::Value::Null);
}

#[test]
fn a_forgotten_user_stays_signed_out_despite_a_sign_in_under_way() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();
    let link = server.get("/auth/authorize").expect(200).json()["authorization_url"].as_str().unwrap().to_owned();

    let deleted = server.call("DELETE", "/admin/tokens/user_default", None);
    let late = server.agree(&link, "alice");

    assert!(deleted.status < 300, "{}", deleted.text);
    assert!(late.status >= 400, "{}", late.text);
    server.add(UPC).expect(401);
    server.sign_in();
    server.add(UPC).expect(200);
}
