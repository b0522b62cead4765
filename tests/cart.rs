//! Adds to the cart: corrects or refuses input, and repeats only unprocessed adds.

use serde_json::json;

use crate::support::{Sandbox, Server, UPC, folder};

const CART: &str = "/v1/cart/add";

fn signed_in() -> (Sandbox, tempfile::TempDir, Server) {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();
    (sandbox, folder, server)
}

fn fault(sandbox: &Sandbox, times: u32, action: &serde_json::Value) {
    sandbox.faults(&json!([{ "match": { "path": CART }, "times": times, "action": action }]));
}

#[test]
fn several_items_go_to_kroger_in_one_request() {
    let (sandbox, _folder, server) = signed_in();

    let items = json!({ "items": [{ "upc": UPC }, { "upc": "0001111060903", "quantity": 3, "modality": "delivery" }] });
    let added = server.call("PUT", "/cart/add", Some(&items)).expect(200).json();

    assert_eq!(added["message"], "Items added to cart successfully");
    assert_eq!(added["items_added"], 2);
    assert_eq!(sandbox.state()["calls"]["PUT /v1/cart/add"]["204"], 1);
    assert_eq!(sandbox.cart("alice").as_array().unwrap().len(), 2);
}

#[test]
fn the_simple_form_takes_query_parameters_as_the_first_system_did() {
    let (sandbox, _folder, server) = signed_in();

    server.call("PUT", &format!("/cart/add/simple?upc={UPC}&quantity=2&modality=DELIVERY"), None).expect(200);

    assert_eq!(sandbox.cart("alice"), json!([{ "upc": UPC, "quantity": 2, "modality": "DELIVERY" }]));
}

#[test]
fn a_scanned_barcode_is_corrected_with_a_note() {
    let (sandbox, _folder, server) = signed_in();

    let added = server.add("011110417008").expect(200).json();

    assert_eq!(added["upc"], UPC);
    assert!(added["notes"][0].as_str().unwrap().contains("check digit"), "{added}");
    assert_eq!(sandbox.cart("alice")[0]["upc"], UPC);
}

#[test]
fn wrong_arguments_are_named_and_nothing_is_sent() {
    let (sandbox, _folder, server) = signed_in();
    let wrong = [
        json!({}),
        json!({ "upc": "milk" }),
        json!({ "upc": 1 }),
        json!({ "upc": UPC, "quantity": 0 }),
        json!({ "upc": UPC, "quantity": 1.5 }),
        json!({ "upc": UPC, "quantity": 1_000 }),
        json!({ "upc": UPC, "modality": "SHIP" }),
        json!({ "upc": UPC, "price": 1 }),
        json!([UPC]),
        json!(null),
    ];

    for body in wrong {
        let answer = server.call("PUT", "/cart/add/simple", Some(&body));
        assert_eq!((answer.status, answer.code().as_str()), (422, "invalid_argument"), "{body}: {}", answer.text);
    }

    assert_eq!(sandbox.state()["calls"]["PUT /v1/cart/add"], serde_json::Value::Null);
}

#[test]
fn a_body_with_curls_default_headers_is_accepted() {
    let (sandbox, _folder, server) = signed_in();

    let sent = std::process::Command::new("curl")
        .args(["--silent", "--show-error", "--request", "PUT", "--data", &json!({ "upc": UPC }).to_string()])
        .arg(server.url("/cart/add/simple"))
        .output()
        .unwrap();

    assert!(String::from_utf8_lossy(&sent.stdout).contains("\"success\":true"), "{sent:?}");
    assert_eq!(sandbox.cart("alice")[0]["upc"], UPC);
}

#[test]
fn an_unprocessed_add_is_repeated_and_added_once() {
    for action in [
        json!({ "status": 503 }),
        json!({ "status": 429, "headers": { "Retry-After": "0" } }),
        json!({ "status": 401 }),
    ] {
        let (sandbox, _folder, server) = signed_in();
        fault(&sandbox, 1, &action);

        server.add(UPC).expect(200);

        assert_eq!(sandbox.cart("alice")[0]["quantity"], 1, "{action}");
    }
}

#[test]
fn an_add_whose_outcome_is_unknown_is_never_sent_again() {
    for action in [
        json!("drop_before"),
        json!("drop_after"),
        json!("garbage"),
        json!({ "status_after": 500 }),
        json!({ "status_after": 502 }),
        json!({ "status_after": 504 }),
        json!({ "status": 408 }),
    ] {
        let (sandbox, _folder, server) = signed_in();
        fault(&sandbox, 1, &action);

        let answer = server.add(UPC);

        assert_eq!((answer.status, answer.code().as_str()), (504, "outcome_unknown"), "{action}: {}", answer.text);
        let calls: u64 = sandbox.state()["calls"]["PUT /v1/cart/add"]
            .as_object()
            .unwrap()
            .values()
            .filter_map(serde_json::Value::as_u64)
            .sum();
        assert_eq!(calls, 1, "{action}");
    }
}

#[test]
fn each_refusal_of_kroger_has_its_status_and_code() {
    let (sandbox, _folder, server) = signed_in();
    let cases = [
        (
            json!({ "status": 400, "body": { "code": "API-4101-400", "reason": "Cannot parse parameters" } }),
            422,
            "upstream_rejected",
        ),
        (
            json!({ "status": 403, "body": { "errors": { "code": "Forbidden", "reason": "missing required scopes" } } }),
            403,
            "scope_missing",
        ),
        (json!({ "status": 404 }), 422, "upstream_rejected"),
        (json!({ "status": 403, "body": "<html>proxy</html>" }), 502, "upstream_rejected"),
        (json!({ "status": 302, "headers": { "Location": "https://example.com/" } }), 502, "upstream_rejected"),
    ];
    for (action, status, code) in cases {
        sandbox.clear_faults();
        fault(&sandbox, 1, &action);
        let answer = server.add(UPC);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{action}: {}", answer.text);
    }
}

#[test]
fn a_sign_in_without_cart_access_says_which_scope_is_missing() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    let authorize = server.get("/auth/authorize?scope=profile.compact").expect(200).json();
    server.agree(authorize["authorization_url"].as_str().unwrap(), "alice").expect(200);

    let answer = server.add(UPC).expect(403).json();

    assert_eq!(answer["code"], "scope_missing");
    assert!(answer["detail"].as_str().unwrap().contains("cart.basic:write"));
}
