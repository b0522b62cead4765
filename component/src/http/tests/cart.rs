//! Adds to the cart: reading the items, and sending them.

use super::*;
use crate::edge::LARGEST_REQUEST;

#[test]
fn item_is_added_by_body_or_query() {
    let server = signed_in();
    server.world.answer(204, "");
    server.world.answer(204, "");

    let by_body = server.put("/cart/add/simple", &json!({ "upc": UPC, "quantity": 2, "modality": "delivery" }));
    let query = format!("/cart/add/simple?upc={UPC}&quantity=2&modality=DELIVERY&unknown=ignored");
    let by_query = server.call_with("PUT", &query, &[], "");

    let expected = json!({
        "success": true, "upc": UPC, "quantity": 2, "message": "Added 2x item to cart",
        "token_status": "valid (expires in 1800s)",
    });
    assert_eq!((by_body.status, by_body.json()), (200, expected.clone()));
    assert_eq!((by_query.status, by_query.json()), (200, expected));
    let bodies: Vec<_> = server.world.sent().into_iter().skip(1).map(|request| request.body).collect();
    assert_eq!(bodies[0], bodies[1]);
}

/// Kroger's catalog has these products.
fn knows(server: &Server, upcs: &[&str]) {
    server.world.answer(200, r#"{"access_token":"canary-app","expires_in":1800}"#);
    let products: Vec<_> = upcs.iter().map(|upc| json!({ "upc": upc, "description": "Milk" })).collect();
    server.world.answer(200, json!({ "data": products }).to_string());
}

#[test]
fn barcode_is_looked_up_and_its_product_is_added() {
    for barcode in ["0011110417008", "11110417008", "00011110417008", "]C10100011110417008"] {
        let server = signed_in();
        knows(&server, &[UPC]);
        server.world.answer(204, "");

        let added = server.put("/cart/add", &json!({ "items": [{ "upc": barcode }] })).json();

        assert!(added["notes"][0].as_str().unwrap().contains(&format!("Kroger's UPC for it is {UPC}")), "{added}");
        let sent = server.world.sent().pop().unwrap();
        let sent: Value = serde_json::from_slice(&sent.body).unwrap();
        assert_eq!(sent["items"][0]["upc"], UPC, "{barcode}");
    }
}

#[test]
fn number_that_kroger_does_not_know_is_asked_about_and_not_added() {
    for unknown in ["12345", "011110417008", "0011110417008"] {
        let server = signed_in();
        knows(&server, &[]);

        let refused = server.put("/cart/add/simple", &json!({ "upc": unknown }));

        assert_eq!(refused.problem(), (422, "invalid_argument".to_owned()));
        assert!(refused.detail().contains("Kroger knows no product for"), "{}", refused.detail());
        assert!(!server.sent_paths().iter().any(|path| path.contains("cart")));
    }
}

/// The label of a meat counter: the price, $5.99, is in it.
#[test]
fn scale_label_is_added_without_its_price() {
    let server = signed_in();
    knows(&server, &["0021142100000"]);
    server.world.answer(204, "");

    let added = server.put("/cart/add/simple", &json!({ "upc": "211421005998" })).json();

    assert_eq!(added["upc"], "0021142100000");
    assert!(!added["notes"][0].as_str().unwrap().contains("check digit"), "{added}");
}

#[test]
fn corrected_barcode_is_noted() {
    let server = signed_in();
    knows(&server, &[UPC]);
    server.world.answer(204, "");

    let added = server.put("/cart/add/simple", &json!({ "upc": "011110417008", "quantity": null })).json();

    assert_eq!((&added["upc"], &added["quantity"]), (&json!(UPC), &json!(1)));
    assert!(added["notes"][0].as_str().unwrap().contains("check digit"));
}

#[test]
fn quantity_may_be_written_as_any_whole_json_number() {
    let server = signed_in();
    for (written, quantity) in [("2", 2), ("2.0", 2), ("9.99e2", 999)] {
        server.world.answer(204, "");
        let body = format!(r#"{{"upc":"{UPC}","quantity":{written}}}"#);
        let added = server.call_with("PUT", "/cart/add/simple", &[], &body);
        assert_eq!((added.status, &added.json()["quantity"]), (200, &json!(quantity)), "{written}: {}", added.text);
    }
    for written in ["0.0", "-1.0", "1000.0", "1e300", "2.000001"] {
        let body = format!(r#"{{"upc":"{UPC}","quantity":{written}}}"#);
        let refused = server.call_with("PUT", "/cart/add/simple", &[], &body);
        assert_eq!(refused.problem(), (422, "invalid_argument".to_owned()), "{written}");
    }
}

#[test]
fn items_are_added_in_one_request() {
    let server = signed_in();
    server.world.answer(204, "");

    let added =
        server.put("/cart/add", &json!({ "items": [{ "upc": UPC }, { "upc": "0001111041195", "quantity": 3 }] }));

    assert_eq!(added.json(), json!({ "message": "Items added to cart successfully", "items_added": 2 }));
    assert_eq!(server.sent_paths(), ["/v1/cart/add"]);
}

/// A path, a body, and the beginning of the error.
const WRONG_ARGUMENTS: [(&str, &str, &str); 30] = [
    ("/cart/add/simple", "{", "`body`"),
    ("/cart/add/simple", "null", "`body`"),
    ("/cart/add/simple", "[]", "`body`"),
    ("/cart/add/simple", "{}", "`upc` is not valid: it is missing"),
    ("/cart/add/simple", r#"{"upc":1}"#, "`upc` is not valid: a JSON string"),
    ("/cart/add/simple", r#"{"upc":"milk"}"#, "`upc`"),
    ("/cart/add/simple", r#"{"upc":"1","quantity":"2"}"#, "`quantity` is not valid: a whole number from 1 to 999"),
    ("/cart/add/simple", r#"{"upc":"1","quantity":1.5}"#, "`quantity`"),
    ("/cart/add/simple", r#"{"upc":"1","quantity":-1}"#, "`quantity`"),
    ("/cart/add/simple", r#"{"upc":"1","quantity":1000}"#, "`quantity`"),
    ("/cart/add/simple", r#"{"upc":"1","quantity":99999999999}"#, "`quantity`"),
    ("/cart/add/simple", r#"{"upc":"1","modality":"SHIP"}"#, "`modality` is not valid: PICKUP or DELIVERY"),
    ("/cart/add/simple", r#"{"upc":"1","price":1}"#, "`price` is not valid: there is no such field"),
    ("/cart/add/simple?upc=1", r#"{"upc":"2"}"#, "`upc` is not valid: the item is in the body already"),
    ("/cart/add/simple", "", "`upc` is not valid: it is missing"),
    ("/cart/add/simple?upc=1&quantity=%2B2", "", "`quantity`"),
    ("/cart/add/simple?upc=1&upc=2", "", "`upc` is not valid: it is given more than once"),
    ("/cart/add/simple?upc=%ff", "", "`upc` is not valid: UTF-8"),
    ("/cart/add/simple?upc=1&modality=x", "", "`modality`"),
    ("/cart/add/simple?upc=1&modality=", "", "`modality`"),
    ("/cart/add/simple?upc=1&quantity=", "", "`quantity`"),
    ("/cart/add/simple?upc=", "", "`upc`"),
    ("/cart/add/simple?quantity=", r#"{"upc":"2"}"#, "`quantity` is not valid: the item is in the body already"),
    ("/cart/add", "", "`body`"),
    ("/cart/add", "{}", "`items` is not valid: it is missing"),
    ("/cart/add", r#"{"items":[]}"#, "`items`"),
    ("/cart/add", r#"{"items":{}}"#, "`items`"),
    ("/cart/add", r#"{"items":[1]}"#, "`items[0]`"),
    ("/cart/add", r#"{"items":[{"upc":"1"},{"upc":"1","size":1}]}"#, "`items[1].size`"),
    ("/cart/add", r#"{"items":[{"upc":"1"},{"upc":"x"}]}"#, "`items[1].upc`"),
];

#[test]
fn wrong_argument_is_named_and_nothing_is_sent() {
    let server = signed_in();
    for (path, body, start) in WRONG_ARGUMENTS {
        let answer = server.call_with("PUT", path, &[("content-type", "application/json")], body);
        assert_eq!(answer.problem(), (422, "invalid_argument".to_owned()), "{path} {body}");
        assert!(answer.detail().starts_with(start), "{path} {body}: {}", answer.detail());
    }

    assert!(server.sent_paths().is_empty());
}

#[test]
fn endless_nesting_is_refused() {
    let server = signed_in();

    let answer = server.call_with("PUT", "/cart/add", &[], &"[".repeat(5_000));

    assert_eq!(answer.problem(), (422, "invalid_argument".to_owned()));
}

#[test]
fn body_is_json_with_any_content_type() {
    let server = signed_in();
    // The type that `curl -d` sends, the type that `fetch` sends for a string, and none.
    let types = [&[("content-type", "application/x-www-form-urlencoded")][..], &[("content-type", "text/plain")], &[]];

    for stated in types {
        server.world.answer(204, "");
        let body = json!({ "upc": UPC }).to_string();
        let added = server.call_with("PUT", "/cart/add/simple", stated, &body);
        assert_eq!(added.status, 200, "{stated:?}: {}", added.text);
    }

    let form = server.call_with("PUT", "/cart/add/simple", types[0], "upc=1");
    assert_eq!(form.problem(), (422, "invalid_argument".to_owned()));
}

#[test]
fn large_body_is_refused() {
    let large = signed_in().call_with("PUT", "/cart/add", &[], &" ".repeat(LARGEST_REQUEST + 1));

    assert_eq!(large.problem(), (413, "too_large".to_owned()));
}

/// Each is small as text and large as a tree, or larger than its route needs.
#[test]
fn body_that_would_fill_the_memory_is_refused_before_it_is_read() {
    let server = signed_in();
    let filled = |piece: &str, bytes: usize| format!("[{}]", vec![piece; bytes / (piece.len() + 1)].join(","));
    for (path, bytes) in [("/cart/add", 60 << 10), ("/cart/add", 1 << 20), ("/cart/add/simple", 1 << 20)] {
        for piece in [r#"{"":0}"#, "{}", "[]", r#"{"a":{"":0}}"#, r#"[[{"":0}]]"#] {
            for body in [filled(piece, bytes), format!(r#"{{"items":{}}}"#, filled(piece, bytes))] {
                let refused = server.call_with("PUT", path, &[], &body);

                assert_eq!(refused.problem(), (413, "too_large".to_owned()), "{path} {piece}");
                assert!(!refused.text.contains("cart"), "{}", refused.text);
            }
        }
    }
    let many = json!({ "items": vec![json!({ "upc": UPC, "quantity": 1, "modality": "PICKUP" }); 100] });
    server.world.answer(204, "");
    assert_eq!(server.put("/cart/add", &many).status, 200);
}

#[test]
fn repeated_field_is_refused_at_any_depth() {
    let server = signed_in();
    let cases = [
        ("/cart/add/simple", r#"{"upc":"1","quantity":1,"quantity":99}"#),
        ("/cart/add/simple", r#"{"upc":"1","\u0075pc":"2"}"#),
        ("/cart/add", r#"{"items":[{"upc":"1"}],"items":[]}"#),
        ("/cart/add", r#"{"items":[{"upc":"1","upc":"2"}]}"#),
    ];

    for (path, body) in cases {
        let answer = server.call_with("PUT", path, &[], body);
        assert_eq!(answer.problem(), (422, "invalid_argument".to_owned()), "{body}");
        assert!(answer.detail().contains("given more than once"), "{}", answer.detail());
    }

    assert!(server.sent_paths().is_empty());
}
