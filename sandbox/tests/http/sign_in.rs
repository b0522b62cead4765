//! The authorize endpoint: consent, denial, refusals.

use serde_json::json;

use crate::fixture::{FORM, MILK, TestSandbox, authorize_path, error_texts};

#[test]
fn customer_signs_in_refreshes_and_adds() {
    let sandbox = TestSandbox::start();
    let first = sandbox.sign_in();
    assert_eq!(first["token_type"], "bearer");
    assert_eq!(first["expires_in"], 1800);
    assert_eq!(first["scope"], "cart.basic:write profile.compact");
    let second = sandbox.refresh(&first).json();
    let added = sandbox.add(&second, MILK);
    assert_eq!((added.status(), added.body.as_str()), (Some(204), ""));
    sandbox.add(&second, MILK);
    let state = sandbox.state();
    let milk = json!([{"upc": "0001111041700", "quantity": 4, "modality": "PICKUP"}]);
    assert_eq!(state["carts"], json!({"alice": milk}));
    assert_eq!(state["token_requests"]["refresh_token"], json!({"ok": 1, "refused": 0}));
    assert_eq!(state["calls"]["PUT /v1/cart/add"], json!({"204": 2}));
    assert_eq!(state["calls"]["GET /v1/connect/oauth2/authorize"], json!({"302": 1}));
}

#[test]
fn denial_returns_to_the_application() {
    let sandbox = TestSandbox::start();
    let reply = sandbox.authorize("&sandbox_decision=deny");
    assert_eq!(reply.status(), Some(302));
    let location = reply.header("location").unwrap();
    assert!(location.starts_with("http://localhost:9004/auth/callback?error=access_denied&error_desc"));
    assert!(location.ends_with("&state=s1"));
}

#[test]
fn typed_name_wins_on_the_consent_page() {
    let sandbox = TestSandbox::start();
    let path = authorize_path("cart.basic%3Awrite");
    let page = sandbox.get(&path);
    assert_eq!(page.status(), Some(200));
    assert!(page.body.contains("Add items to your cart"));
    let form = "customer=bob&name=+dora+&decision=allow";
    let decided = sandbox.call(&format!("POST {path}\n{FORM}"), form);
    assert_eq!(decided.status(), Some(302));
    assert!(decided.header("location").unwrap().contains("?code="));
    let front = sandbox.get("/").body;
    assert!(front.contains("<h3>dora</h3>") && front.contains("<h3>bob</h3>"));
}

#[test]
fn wrong_decision_is_400_with_an_error() {
    let sandbox = TestSandbox::start();
    for extra in ["&sandbox_decision=allow", "&sandbox_decision=maybe&sandbox_user=alice"] {
        let reply = sandbox.authorize(extra);
        assert_eq!(reply.status(), Some(400), "{extra}");
        assert!(reply.json()["error"].is_string());
    }
}

#[test]
fn wrong_authorization_request_is_refused_at_once() {
    let sandbox = TestSandbox::start();
    let unregistered = sandbox.get(&authorize_path("coupon.basic"));
    let expected = (Some(400), "invalid_scope".to_owned(), "invalid scope".to_owned());
    assert_eq!(error_texts(&unregistered), expected);
    let stranger = authorize_path("profile.compact").replace("sandbox-client", "stranger");
    assert_eq!(error_texts(&sandbox.get(&stranger)).2, "Invalid client_id");
    let page = sandbox.call(&format!("GET {stranger}\naccept: text/html"), "");
    assert_eq!(page.status(), Some(400));
    assert!(page.body.contains("<h1>Invalid client_id</h1>"));
}

#[test]
fn front_page_escapes_hostile_names_and_carts() {
    let sandbox = TestSandbox::start();
    let hostile = "%3Cscript%3E%22";
    let reply = sandbox.authorize(&format!("&sandbox_user={hostile}&sandbox_decision=allow"));
    assert_eq!(reply.status(), Some(302));
    let front = sandbox.get("/").body;
    assert!(front.contains("<h3>&lt;script&gt;&quot;</h3>"));
    assert!(!front.contains("<script"));
    let alice = sandbox.sign_in();
    let upc = "<b>123456</b>";
    let item = json!({"items": [{"upc": upc, "quantity": 1}]});
    assert_eq!(sandbox.add(&alice, &item.to_string()).status(), Some(204));
    assert!(!sandbox.get("/").body.contains("<b>"));
}
